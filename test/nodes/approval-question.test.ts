import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { z as z3 } from "zod/v3";
import { answerProblem, answerSchema } from "perdure/nodes";
import type { ActionToApprove, Decision, DecisionType } from "perdure/nodes";
import { approvalAnswerSchema, approvalQuestion } from "../../src/nodes/approval-question.ts";

const types: DecisionType[] = ["approve", "edit", "reject"];
const action: fc.Arbitrary<ActionToApprove> = fc.record({
  name: fc.string({ minLength: 1 }),
  args: fc.dictionary(fc.string(), fc.jsonValue() as fc.Arbitrary<unknown>, { maxKeys: 3 }),
  allowedDecisions: fc.subarray(types, { minLength: 1 }),
});

function decisionFor({ name, args, allowedDecisions = types }: ActionToApprove): fc.Arbitrary<Decision> {
  const all: Record<DecisionType, fc.Arbitrary<Decision>> = {
    approve: fc.constant({ type: "approve" }),
    edit: fc.constant({ type: "edit", editedAction: { name, args } }),
    reject: fc.oneof(
      fc.constant<Decision>({ type: "reject" }),
      fc.string().map((message): Decision => ({ type: "reject", message })),
    ),
  };
  return fc.oneof(...allowedDecisions.map((type) => all[type]));
}

const answered = fc
  .array(action, { minLength: 1, maxLength: 4 })
  .chain((actions) =>
    fc.tuple(fc.constant(actions), fc.tuple(...actions.map(decisionFor)) as fc.Arbitrary<Decision[]>),
  );

/** What the stored schema says about an answer, by two validators: this library's and zod's. */
function problems(actions: readonly ActionToApprove[], answer: unknown): boolean[] {
  const stored = JSON.parse(JSON.stringify(approvalAnswerSchema(approvalQuestion(actions)))) as Record<string, unknown>;
  return [answerProblem(stored, answer) !== undefined, !z.fromJSONSchema(stored).safeParse(answer).success];
}

describe("the schema of an approval's answer", () => {
  test("takes one allowed decision for each action, in their order", () => {
    fc.assert(
      fc.property(answered, ([actions, decisions]) => {
        expect(problems(actions, { decisions })).toEqual([false, false]);
      }),
    );
  });

  test("refuses one decision too few or too many", () => {
    fc.assert(
      fc.property(answered, ([actions, decisions]) => {
        expect(problems(actions, { decisions: decisions.slice(1) })).toEqual([true, true]);
        expect(problems(actions, { decisions: [...decisions, ...decisions] })).toEqual([true, true]);
      }),
    );
  });

  test("refuses a decision that is not allowed for its action", () => {
    fc.assert(
      fc.property(answered, fc.nat(), fc.constantFrom(...types), ([actions, decisions], at, type) => {
        const index = at % actions.length;
        const { name, args, allowedDecisions } = actions[index] as ActionToApprove;
        fc.pre(allowedDecisions?.includes(type) !== true);
        const other = type === "edit" ? { type, editedAction: { name, args } } : { type };

        expect(problems(actions, { decisions: decisions.with(index, other as Decision) })).toEqual([true, true]);
      }),
    );
  });

  test("refuses whatever is no decision at all", () => {
    fc.assert(
      fc.property(answered, fc.jsonValue(), ([actions, decisions], junk) => {
        expect(problems(actions, { decisions: decisions.with(0, junk as never) })).toEqual([true, true]);
        expect(problems(actions, junk)).toEqual([true, true]);
      }),
    );
  });
});

describe("answerProblem", () => {
  const problem = (decision: unknown, allowedDecisions = types) =>
    answerProblem(approvalAnswerSchema(approvalQuestion([{ name: "refund", args: {}, allowedDecisions }])), {
      decisions: [decision],
    });

  test("names the place and what is wrong there, of the kind of decision that was meant", () => {
    expect(problem({ type: "edit" })).toBe('decisions.0: Instance does not have required property "editedAction".');
    expect(problem({ type: "reject", message: 7 })).toBe(
      'decisions.0.message: Instance type "number" is invalid. Expected "string".',
    );
    expect(problem({ type: "edit", editedAction: { name: "refund_all", args: {} } })).toBe(
      'decisions.0.editedAction.name: Instance does not match "refund".',
    );
    expect(problem({ type: "edit" }, ["approve", "reject"])).toBe(
      'decisions.0.type: Instance does not match any of ["approve","reject"].',
    );
  });

  test.each([
    [{ orderId: "A-1", amount: "ten" }, "args.amount: Instance type"],
    [{ orderId: "A-1", amount: 0 }, "args.amount: 0 is less than 1"],
    [{ orderId: "B-1", amount: 1 }, "args.orderId: String does not match pattern"],
    [{ orderId: "A-1", amount: 1, currency: "EUR" }, "args.currency: Instance does not match"],
    [{ orderId: "A-1", amount: 1, to: { iban: 5 } }, "args.to.iban: Instance type"],
    [{ orderId: "A-1", amount: 1, to: {} }, 'args.to: Instance does not have required property "iban"'],
    [{ orderId: "A-1" }, 'args: Instance does not have required property "amount"'],
    [{ orderId: "A-1", amount: 1, amuont: 2 }, "args.amuont: Nothing of that name is expected"],
  ])("names the argument of an edit that does not fit: %j", (args, said) => {
    const argsSchema = answerSchema(
      z.strictObject({
        orderId: z.string().regex(/^A-/),
        amount: z.number().min(1),
        currency: z.literal("GBP").optional(),
        to: z.object({ iban: z.string() }).optional(),
      }),
    );
    const asked = approvalQuestion([
      { name: "look", args: {} },
      { name: "refund", args: {}, argsSchema },
    ]);
    const decisions = [{ type: "approve" }, { type: "edit", editedAction: { name: "refund", args } }];
    expect(answerProblem(approvalAnswerSchema(asked), { decisions })).toContain(`decisions.1.editedAction.${said}`);
  });

  test.each([[undefined], [null], [() => {}], [Symbol("a")]])("%s is no answer", (answer) => {
    expect(answerProblem({ type: "object" }, answer)).toBe('Instance type "null" is invalid. Expected "object".');
  });

  test("looks at an answer as it would be stored", () => {
    expect(
      answerProblem({ type: "object", required: ["at"], properties: { at: { type: "string" } } }, { at: new Date(0) }),
    ).toBeUndefined();
    expect(answerProblem({ type: "object", required: ["at"] }, { at: undefined })).toContain('"at"');
    expect(answerProblem({}, 1n)).toContain("can't be stored");
  });

  test("names no place for the answer itself, and nothing when it fits", () => {
    expect(answerProblem({ type: "string" }, 7)).toBe('Instance type "number" is invalid. Expected "string".');
    expect(answerProblem({ type: "string" }, "seven")).toBeUndefined();
    expect(answerProblem({}, { any: "thing" })).toBeUndefined();
  });
});

describe("answerSchema", () => {
  test("says of a zod schema what goes in", () => {
    expect(answerSchema(z.object({ n: z.number().default(1), at: z.coerce.date() }))).toMatchObject({
      properties: { n: { type: "number" }, at: {} },
      required: ["at"],
    });
    expect(answerSchema(z3.object({ n: z3.number() }))).toMatchObject({ properties: { n: { type: "number" } } });
  });

  test("gives a JSON schema back as it is", () => {
    const schema = { type: "object" };
    expect(answerSchema(schema)).toBe(schema);
  });
});
