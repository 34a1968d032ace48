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
    const links = [...prose(page).matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)/gu)];
    const targets = links.map(([link, file = "", anchor]) => {
      const path = file === "" ? page : join(dirname(page), file);
      return { link, path, anchor };
    });
    expect(targets.filter(({ path }) => !existsSync(join(root, path)))).toEqual([]);
    const anchored = targets.filter(({ anchor, path }) => anchor !== undefined && !anchors(path).includes(anchor));
    expect(anchored).toEqual([]);
  });

  test("is found, and so are its links", () => {
    expect(pages).toEqual(expect.arrayContaining(["README.md", join("docs", "temporal.md")]));
    expect(prose("README.md").match(/\]\(/gu)?.length).toBeGreaterThan(5);
  });
});
