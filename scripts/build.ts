// Makes dist from src: JavaScript, declarations and source maps.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./run-command.ts";

const root = join(import.meta.dirname, "..");
rmSync(join(root, "dist"), { recursive: true, force: true });
const { ok, output } = await runCommand("tsc", ["-p", join(root, "tsconfig.build.json")]);
process.stdout.write(output);
process.exitCode = ok ? 0 : 1;
