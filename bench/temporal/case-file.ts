/** What a run works on: a support case of about 1 KB, to which each step adds a line. */
export interface CaseFile {
  readonly customer: { readonly id: string; readonly name: string; readonly email: string; readonly plan: string };
  readonly order: { readonly id: string; readonly items: readonly OrderItem[]; readonly total: number };
  readonly question: string;
  readonly status: string;
  readonly log: readonly string[];
  readonly approved?: boolean;
}

interface OrderItem {
  readonly sku: string;
  readonly name: string;
  readonly quantity: number;
  readonly price: number;
}

/** The steps of a case, each an activity of the one side and a node of the other. */
export const STEPS = Array.from({ length: 20 }, (_, n) => `step${n + 1}`);

/** What the person is asked for whom parked runs wait. */
export const QUESTION = "May the refund be paid?";

/** A case that nobody has worked on. */
export function newCase(id: string): CaseFile {
  return {
    customer: { id: `customer-${id}`, name: "Ada Lovelace", email: "ada@example.com", plan: "business" },
    order: {
      id: `order-${id}`,
      items: [
        { sku: "A-1001", name: "Mechanical keyboard, grey", quantity: 1, price: 129 },
        { sku: "B-2002", name: "USB-C cable, 2 m", quantity: 3, price: 12.5 },
        { sku: "C-3003", name: "Laptop stand, aluminium", quantity: 1, price: 59.9 },
      ],
      total: 226.4,
    },
    question:
      "Two of the three cables arrived with bent plugs, and the stand has a scratch on the upper side. I would like to " +
      "send the cables back and keep the stand, if a part of its price can be refunded. When can I expect the money?",
    status: "new",
    log: [],
  };
}

/** What one step adds to the case, whoever runs it. */
export function work(step: string): { readonly status: string; readonly line: string } {
  return { status: `after ${step}`, line: `${step}: looked at the order and noted what follows from it` };
}

/** A side that did not do the work, or lost some of it, must not look good. */
export function assertWorkedOn(file: unknown, id: string): void {
  const { order, log = [], status } = file as Partial<CaseFile>;
  const expected = STEPS.map((step) => work(step).line);
  if (order?.id === `order-${id}` && status === `after ${STEPS.at(-1)}` && log.join("\n") === expected.join("\n"))
    return;
  throw new Error(`Case "${id}" ended with ${JSON.stringify(file)}.`);
}
