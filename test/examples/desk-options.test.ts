import { describe, expect, it } from "vitest";
import { UsageError, readDeskOptions } from "../../examples/support-desk/desk-options.ts";

describe("the command line of the support desk", () => {
  it("asks for the scripted model on PGlite in a folder of its own by default", () => {
    expect(readDeskOptions([])).toEqual({
      help: false,
      json: false,
      yes: false,
      model: "scripted",
      database: undefined,
      dataDirectory: undefined,
    });
  });

  it.each([
    [["--model", "gpt"], '--model "gpt" is not one of scripted, local, openai, anthropic.'],
    [["--modle", "local"], "Unknown option '--modle'"],
    [["please"], "Unexpected argument 'please'"],
    [["--database", "mysql://x"], "--database takes a URL"],
    [["--database", "postgres://[::1"], "--database takes a URL"],
    [["--data", ""], "--data takes a folder."],
    [["--data", "a", "--database", "postgres://x"], "--data and --database exclude each other"],
  ])("refuses %j and says why", (args, why) => {
    expect(() => readDeskOptions(args)).toThrow(UsageError);
    expect(() => readDeskOptions(args)).toThrow(why);
  });
});
