import { describe, expect, it } from "vitest";
import { UsageError } from "../../examples/support-desk/command-line.ts";
import { commandToGoOn, readDeskOptions } from "../../examples/support-desk/desk-options.ts";

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

  it("says where the -- belongs when npm took the options for itself, and only then", () => {
    const env = { npm_lifecycle_event: "start", npm_config_yes: "true", npm_config_model: "local" };
    expect(() => readDeskOptions([], env)).toThrow("use `npm start -- --model local --yes`.");
    expect(readDeskOptions(["--yes", "--model=local"], env)).toMatchObject({ yes: true, model: "local" });
    expect(readDeskOptions([], { ...env, npm_lifecycle_event: "test" })).toMatchObject({ yes: false });
  });
});

describe("the command to go on", () => {
  it("is the whole command, which reads back as the options of before with the folder", () => {
    expect(commandToGoOn(readDeskOptions([]), ".data/desk-1")).toBe("npm start -- --data .data/desk-1");
    const options = readDeskOptions(["--yes", "--json", "--model", "local", "--data", "x"]);
    const command = commandToGoOn(options, "x");
    expect(readDeskOptions(command.split(" ").slice(3))).toEqual(options);
    expect(commandToGoOn(readDeskOptions([]), "my desk's")).toBe("npm start -- --data 'my desk'\\''s'");
  });
});
