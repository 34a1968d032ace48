import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DefaultLogger, bundleWorkflowCode } from "@temporalio/worker";
import type { BundleOptions } from "@temporalio/worker";
import { bundleGraphWorkflows } from "perdure/temporal/worker";

/** A bundle of workflows as a file. */
export interface WorkflowBundle {
  readonly path: string;
  /** Of its code, without the source map. */
  readonly bytes: number;
}

/** Bundles the workflows of both sides. */
export async function bundleWorkflows(folder: string): Promise<Record<"handWritten" | "graphs", WorkflowBundle>> {
  const options = { webpackConfigHook: asPublished, logger: new DefaultLogger("WARN") };
  const workflowsPath = fileURLToPath(new URL("hand-written-workflow.ts", import.meta.url));
  const keep = async (name: string, { code }: { readonly code: string }): Promise<WorkflowBundle> => {
    const path = join(folder, `${name}.js`);
    await writeFile(path, code);
    const [withoutSourceMap = ""] = code.split("//# sourceMappingURL=");
    return { path, bytes: Buffer.byteLength(withoutSourceMap) };
  };
  return {
    handWritten: await keep("hand-written", await bundleWorkflowCode({ ...options, workflowsPath })),
    graphs: await keep("graphs", await bundleGraphWorkflows(options)),
  };
}

type WebpackConfig = Parameters<NonNullable<BundleOptions["webpackConfigHook"]>>[0];

/**
 * Temporal has TypeScript compiled down to ES2017, with a WeakMap for each private field. A published package is JavaScript and
 * bundled as it is, so both sides are compiled to what Node.js runs.
 */
function asPublished(config: WebpackConfig): WebpackConfig {
  for (const rule of config.module?.rules ?? []) {
    const use = typeof rule === "object" && rule !== null && typeof rule.use === "object" ? rule.use : undefined;
    const options = use !== null && use !== undefined && "options" in use ? use.options : undefined;
    if (typeof options === "object") Object.assign(options["jsc"] as object, { target: "es2024" });
  }
  return config;
}
