import { describe, expect, it } from "vitest";
import { textsAtPath } from "../../../src/checkpoint/store/text-at-path.ts";

const value = {
  title: "Report",
  year: 2026,
  draft: false,
  empty: "",
  nothing: null,
  meta: { author: { name: "Ana" } },
  chapters: [{ content: "one" }, { content: "two" }, { other: 1 }, "no object"],
  notes: ["first", "last"],
  grid: [["x"], ["y"]],
};

describe("the texts at a path", () => {
  it.each([
    ["title", ["Report"]],
    ["year", ["2026"]],
    ["draft", ["false"]],
    ["meta.author.name", ["Ana"]],
    ["meta.author", ['{"name":"Ana"}']],
    ["chapters[*].content", ["one", "two"]],
    ["chapters[1].content", ["two"]],
    ["notes[-1]", ["last"]],
    ["notes[*]", ["first", "last"]],
    ["grid[*][0]", ["x", "y"]],
    ["$", [JSON.stringify(value)]],
  ])("%s are found", (path, texts) => {
    expect(textsAtPath(value, path)).toEqual(texts);
  });

  it.each([
    "empty",
    "nothing",
    "absent",
    "absent.deeper",
    "title.length",
    "notes[9]",
    "title[0]",
    "meta[*]",
    "constructor",
  ])("%s are none", (path) => {
    expect(textsAtPath(value, path)).toEqual([]);
  });
});
