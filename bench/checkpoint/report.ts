import { median } from "../median.ts";
import { table } from "../table.ts";
import { BARS, compare } from "./comparison.ts";
import type { ListingTimes } from "./listing.ts";
import { BUILD_LIMIT_MS } from "./on-pglite.ts";
import type { OnPglite } from "./on-pglite.ts";
import type { OnPostgres, Rivals } from "./on-postgres.ts";
import type { Sizes } from "./sizes.ts";
import type { ThreadSize } from "./thread-size.ts";
import { stepsOf } from "./throughput.ts";
import type { Load } from "./throughput.ts";

/** All that was measured. */
export interface Findings {
  readonly sizes: Sizes;
  readonly postgres: OnPostgres;
  readonly pglite: OnPglite;
  readonly listing: ListingTimes;
}

type Times = readonly number[];
type Shown = (times: Times | undefined) => string;

/** Tables of what was measured, line by line. */
export function report(findings: Findings): string[] {
  const { built } = findings.postgres;
  return [
    ...timesTable(findings),
    "",
    ...bytesTable(findings),
    "",
    partsOf("PostgresSaver", built.PostgresSaver.long.size),
    partsOf("perdure", built.perdure.long.size),
    "",
    ...perStepTable(findings),
    "",
    ...pgliteTable(findings),
    "",
    ...listingTable(findings),
  ];
}

function timesTable({ sizes, postgres }: Findings): string[] {
  const { many, one, counter, history, long, built } = postgres;
  const { full } = sizes;
  const about = labels(sizes);
  const row = (
    label: string,
    shown: Shown,
    times: Readonly<Record<Rivals, Times>> & { readonly memory?: Times },
    bar?: number,
  ): string[] => {
    const { ratio, lowest, highest } = compare(times);
    return [
      label,
      shown(times.PostgresSaver),
      shown(times.perdure),
      times.memory === undefined ? "" : shown(times.memory),
      ...[ratio, lowest, highest].map((value) => value.toFixed(2)),
      bar !== undefined && full ? `${bar}${ratio < bar ? " !" : ""}` : "",
    ];
  };
  const once = { PostgresSaver: [built.PostgresSaver.long.elapsedMs], perdure: [built.perdure.long.elapsedMs] };
  return [
    ...table([
      ["Postgres", "PostgresSaver", "perdure", "in memory", "times better", "lowest", "highest", "bar"],
      row(about.many, perSecond(sizes, sizes.many), many, BARS.stepsPerSecond50),
      row(about.one, perSecond(sizes, sizes.one), one, BARS.stepsPerSecond1),
      row(about.counter, perSecond(sizes, sizes.many), counter),
      row(about.history, ms, history, BARS.history400),
      row(about.getStateCold, ms, long.getState.cold, BARS.getState1600),
      row(about.getStateWarm, ms, long.getState.warm),
      row(about.resumeCold, ms, long.resume.cold, BARS.resume1600),
      row(about.resumeWarm, ms, long.resume.warm),
      row(about.build, ms, once),
    ]),
    `cold: by a saver that has cached nothing. PostgresSaver read the history ${history.PostgresSaver.length} times,` +
      ` ours ${history.perdure.length} times.`,
  ];
}

function bytesTable({ sizes, postgres: { built }, pglite }: Findings): string[] {
  const row = (label: string, of: "long" | "withIds" | "withoutIds", when: "bytes" | "bytesVacuumed", bar?: number) => {
    const [theirs, ours] = [built.PostgresSaver[of].size[when], built.perdure[of].size[when]];
    const embedded = pglite.built[of]?.size[when];
    return [
      label,
      whole(theirs),
      whole(ours),
      embedded === undefined ? "-" : whole(embedded),
      (theirs / ours).toFixed(2),
      bar !== undefined && sizes.full ? `${whole(bar)}${ours > bar ? " !" : ""}` : "",
    ];
  };
  const [long, short] = [whole(sizes.longSteps), whole(sizes.historySteps)];
  return table([
    ["Bytes of one thread", "PostgresSaver", "perdure", "on PGlite", "times better", "bar"],
    row(`after ${long} steps, no VACUUM`, "long", "bytes", BARS.bytes),
    row(`after ${long} steps and a plain VACUUM`, "long", "bytesVacuumed"),
    row(`after ${short} steps, no VACUUM`, "withIds", "bytes"),
    row(`after ${short} steps, messages without ids`, "withoutIds", "bytes"),
  ]);
}

/** Which tables the bytes are in. */
function partsOf(name: Rivals, { tables, autovacuumed }: ThreadSize): string {
  const list = tables.map((each) => `${each.name} ${whole(each.bytes)}`).join(", ");
  return `${name}: ${list}. Autovacuum had been at ${autovacuumed} of them.`;
}

function perStepTable({ sizes, postgres: { perStep } }: Findings): string[] {
  const row = (label: string, load: "many" | "one", of: "statements" | "transactions") => [
    label,
    perStep.PostgresSaver[load][of]?.toFixed(2) ?? "not counted",
    perStep.perdure[load][of]?.toFixed(2) ?? "not counted",
  ];
  return table([
    ["Per step, counted by the server", "PostgresSaver", "perdure"],
    row(`statements, ${sizes.many.atOnce} threads`, "many", "statements"),
    row("statements, 1 thread", "one", "statements"),
    row(`transactions, ${sizes.many.atOnce} threads`, "many", "transactions"),
    row("transactions, 1 thread", "one", "transactions"),
  ]);
}

function pgliteTable({ sizes, pglite }: Findings): string[] {
  const about = labels(sizes);
  const { many, one, counter, history, long, built } = pglite;
  return table([
    ["PGlite", "perdure"],
    [about.many, perSecond(sizes, sizes.many)(many.pglite)],
    [about.one, perSecond(sizes, sizes.one)(one.pglite)],
    [about.counter, perSecond(sizes, sizes.many)(counter.pglite)],
    [about.history, ms(history?.pglite)],
    [about.getStateCold, ms(long?.getState.cold.pglite)],
    [about.getStateWarm, ms(long?.getState.warm.pglite)],
    [about.resumeCold, ms(long?.resume.cold.pglite)],
    [about.resumeWarm, ms(long?.resume.warm.pglite)],
    [about.build, ms(built.long && [built.long.elapsedMs])],
  ]);
}

function listingTable({ sizes: { listLimit: limit }, listing }: Findings): string[] {
  const { threadCount, interruptCount, times } = listing;
  return table([
    [`Lists of ${whole(threadCount)} threads, ${whole(interruptCount)} of them with an open interrupt`, "perdure, ms"],
    [`the first ${limit} threads`, ms(times.threads)],
    [`${limit} threads in the middle`, ms(times.threadsLater)],
    [`the first ${limit} threads with an open interrupt`, ms(times.interrupted)],
    [`the first ${limit} open interrupts`, ms(times.interrupts)],
    [`${limit} open interrupts in the middle`, ms(times.interruptsLater)],
  ]);
}

function labels({ steps, many, historySteps, longSteps }: Sizes) {
  const after = `after ${whole(longSteps)} steps`;
  return {
    many: `steps/s, ${steps}-step runs, ${many.atOnce} threads`,
    one: `steps/s, ${steps}-step runs, 1 thread`,
    counter: `steps/s, a counter, ${many.atOnce} threads`,
    history: `history of ${whole(historySteps + 2)} checkpoints, ms`,
    getStateCold: `getState ${after}, cold, ms`,
    getStateWarm: `getState ${after}, warm, ms`,
    resumeCold: `one more turn ${after}, cold, ms`,
    resumeWarm: `one more turn ${after}, warm, ms`,
    build: `all ${whole(longSteps)} steps, once, ms`,
  };
}

function perSecond({ steps }: Sizes, load: Load): Shown {
  return (times) => whole((stepsOf({ steps }, load) * 1_000) / median(times ?? []));
}

function ms(times: Times | undefined): string {
  if (times === undefined) return `over ${BUILD_LIMIT_MS / 1_000} s to set up`;
  const time = median(times);
  return time < 100 ? time.toFixed(1) : whole(time);
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
