import { describe, expect, it } from "vitest";
import { loadPeer } from "../../src/checkpoint/optional-peer.ts";

describe("an optional peer", () => {
  it("that is not installed gives an error with its name and the command that installs it", async () => {
    const name = "a-package-that-nobody-installed";
    const loading = loadPeer("pg", "postgres://", () => import(/* @vite-ignore */ name));
    await expect(loading).rejects.toMatchObject({
      code: "PEER_MISSING",
      hint: "Run `npm install pg`.",
    });
    await expect(loading).rejects.toThrow("postgres:// needs the package pg");
  });

  it("that fails while it is loaded fails with its own error", async () => {
    const broken = new Error("broken inside");
    await expect(loadPeer("pg", "postgres://", () => Promise.reject(broken))).rejects.toBe(broken);
  });
});
