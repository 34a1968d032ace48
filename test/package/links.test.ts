import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "./project.ts";

/** The pages of the project: those of its folder, and all below docs and examples. */
const pages = [
  ...readdirSync(root),
  ...["docs", "examples"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  ),
].filter((name) => name.endsWith(".md"));

/** What a page says, without its programs. */
function prose(page: string): string {
  return readFileSync(join(root, page), "utf8").replaceAll(/^ *```[\s\S]*?^ *```/gmu, "");
}

/** Where the links of a page lead that stay within the project. */
function targetsOf(page: string) {
  const links = [...prose(page).matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)/gu)];
  return links.map(([link, file = "", anchor]) => {
    const path = file === "" ? page : join(dirname(page), file);
    return { link, path, anchor };
  });
}

/** The ends of links that lead to a heading, as GitHub makes them. */
function anchors(page: string): string[] {
  return [...prose(page).matchAll(/^#+ (.*)$/gmu)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

describe("a page", () => {
  test.each(pages)("%s links only to what is there", (page) => {
    const targets = targetsOf(page);
    expect(targets.filter(({ path }) => !existsSync(join(root, path)))).toEqual([]);
    const anchored = targets.filter(({ anchor, path }) => anchor !== undefined && !anchors(path).includes(anchor));
    expect(anchored).toEqual([]);
  });

  test.each([
    ["README.md", 5],
    [join("docs", "checkpointer.md"), 5],
    [join("docs", "temporal.md"), 1],
    [join("docs", "temporal-workflows.md"), 1],
  ])("%s is found, with more than %i links", (page, few) => {
    expect(pages).toContain(page);
    expect(targetsOf(page).length).toBeGreaterThan(few);
  });
});
