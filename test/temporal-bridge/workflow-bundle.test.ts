import { readFile } from "node:fs/promises";
import { expect, inject, it } from "vitest";
import { describeWithTemporal } from "../support/temporal.ts";

describeWithTemporal("the bundle of the workflow", () => {
  it("loads its modules once for all runs, before the first one, and not once for each", async () => {
    const code = await readFile(inject("workflowBundlePath"), "utf8");
    const [, preload = ""] = /exports\.preloadModules = function preloadModules\(\) \{(.*?)\n\}/su.exec(code) ?? [];
    expect(preload).toContain("temporal-bridge/workflow/index.ts");
  });

  it("holds nothing of LangGraph", async () => {
    const code = await readFile(inject("workflowBundlePath"), "utf8");
    expect(code).not.toContain("node_modules/@langchain");
  });
});
