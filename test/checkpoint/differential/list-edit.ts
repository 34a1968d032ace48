import { Choices } from "./choices.ts";
import { randomItem } from "./random-value.ts";
import type { Flavour } from "./random-value.ts";

/** How a list becomes the next one, as a reducer or a node does it. */
interface ListEdit {
  /** How often it is chosen. */
  readonly weight: number;
  /** Whether the list itself is changed, so that whoever else holds it sees it. */
  readonly inPlace?: true;
  readonly apply: (list: unknown[], tools: EditTools) => unknown[];
}

interface EditTools {
  readonly choices: Choices;
  readonly item: () => unknown;
  readonly items: (most: number) => unknown[];
  /** An index of the list, or its length where it may be the end. */
  readonly at: (list: unknown[]) => number;
}

/** The same content, in other objects; what has no content of its own stays as it is. */
function twin(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(twin);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, twin(item)]));
}

function changedInPlace(list: unknown[], change: (list: unknown[]) => unknown): unknown[] {
  change(list);
  return list;
}

const EDITS = {
  append: { weight: 30, apply: (list, { items }) => [...list, ...items(3)] },
  appendMany: { weight: 1, apply: (list, { items }) => [...list, ...items(40)] },
  prepend: { weight: 3, apply: (list, { items }) => [...items(2), ...list] },
  insert: { weight: 3, apply: (list, { at, items }) => list.toSpliced(at(list), 0, ...items(2)) },
  bothEnds: { weight: 1, apply: (list, { item }) => [item(), ...list, item()] },
  replace: { weight: 4, apply: (list, { at, item }) => (list.length === 0 ? [item()] : list.with(at(list), item())) },
  replaceAndAppend: { weight: 2, apply: (list, { at, item }) => [...list.toSpliced(at(list), 1, item()), item()] },
  remove: { weight: 3, apply: (list, { at }) => list.toSpliced(at(list), 1) },
  removeSome: { weight: 1, apply: (list, { choices }) => list.filter(() => choices.chance(70)) },
  cutFront: { weight: 2, apply: (list, { at }) => list.slice(at(list)) },
  cutEnd: { weight: 3, apply: (list, { at }) => list.slice(0, at(list)) },
  cutEndAndAppend: { weight: 2, apply: (list, { at, items }) => [...list.slice(0, at(list)), ...items(2)] },
  clear: { weight: 2, apply: () => [] },
  renew: { weight: 2, apply: (_list, { items }) => items(5) },
  sameItems: { weight: 2, apply: (list) => [...list] },
  equalItems: { weight: 2, apply: (list) => list.map(twin) },
  itself: { weight: 2, apply: (list) => list },
  twice: { weight: 2, apply: (list, { at }) => (list.length === 0 ? [] : [...list, list[at(list.slice(1))]]) },
  doubled: { weight: 1, apply: (list) => (list.length > 100 ? list : [...list, ...list]) },
  reverse: { weight: 1, apply: (list) => list.toReversed() },
  nested: { weight: 1, apply: (list, { item }) => [...list, [item(), [item()]]] },
  push: {
    weight: 4,
    inPlace: true,
    apply: (list, { items }) => changedInPlace(list, () => list.push(...items(2))),
  },
  splice: {
    weight: 2,
    inPlace: true,
    apply: (list, { at, item }) => changedInPlace(list, () => list.splice(at(list), 1, item())),
  },
  unshift: { weight: 1, inPlace: true, apply: (list, { item }) => changedInPlace(list, () => list.unshift(item())) },
  popAndPush: {
    weight: 1,
    inPlace: true,
    apply: (list, { item }) =>
      changedInPlace(list, () => {
        list.pop();
        list.push(item());
      }),
  },
  empty: { weight: 1, inPlace: true, apply: (list) => changedInPlace(list, () => (list.length = 0)) },
  reverseInPlace: { weight: 1, inPlace: true, apply: (list) => changedInPlace(list, () => list.reverse()) },
} satisfies Record<string, ListEdit>;

/** The name of an edit. */
export type ListEditName = keyof typeof EDITS;

const ALL: Readonly<Record<ListEditName, ListEdit>> = EDITS;
const weightsOf = (wanted: (edit: ListEdit) => boolean): Record<ListEditName, number> =>
  Object.fromEntries(Object.entries(ALL).map(([name, edit]) => [name, wanted(edit) ? edit.weight : 0])) as Record<
    ListEditName,
    number
  >;
const WEIGHTS = weightsOf(() => true);
const PURE_WEIGHTS = weightsOf(({ inPlace }) => inPlace !== true);

/** Chooses an edit. */
export function randomListEdit(choices: Choices, only: "any" | "pure"): ListEditName {
  return choices.weighted(only === "pure" ? PURE_WEIGHTS : WEIGHTS);
}

/** Whether the edit changes the list that it is given. */
export function changesInPlace(name: ListEditName): boolean {
  return ALL[name].inPlace === true;
}

/** Edits a list; the same seed gives the same items. */
export function editList(list: unknown[], edit: { name: ListEditName; flavour: Flavour; seed: number }): unknown[] {
  const choices = new Choices(edit.seed);
  const item = (): unknown => randomItem(choices, edit.flavour);
  return ALL[edit.name].apply(list, {
    choices,
    item,
    items: (most) => Array.from({ length: choices.between(1, most + 1) }, item),
    at: ({ length }) => choices.between(0, Math.max(1, length)),
  });
}
