import { openCheckpointer } from "perdure/checkpoint";
import { explore } from "./explore.ts";
import { SCENARIOS } from "./scenarios.ts";
const [, , pick = "0", locks = "kept", d = "1", e = "0", l = "0", sw] = process.argv;
let n = 0;
const chosen = SCENARIOS.filter((s, i) => pick === "all" || pick === String(i) || s.name.includes(pick));
for (const scenario of chosen) {
  const t = performance.now();
  const r = await explore(scenario, {
    stores: { needTime: false, open: async () => { const c = await openCheckpointer("memory:"); n++; return { storeOf: () => c, threadId: "t" }; }, beginnings: new Map() },
    locks: locks as any, faults: { deaths: +d, errors: +e, losses: +l }, ...(sw === undefined ? {} : { switches: +sw }),
  }, { everyStep: process.env["EVERY"] === "1", first: process.env["FIRST"] === "1" });
  const ms = performance.now() - t;
  console.log(`${scenario.name}: ${r.schedules.length} schedules, ${r.points} points, ${r.interleavings} interleavings, ${r.outcomes.size} outcomes, ${r.violations.length} violations, ${(ms / 1000).toFixed(1)} s, ${(ms / r.schedules.length).toFixed(1)} ms each`);
  if (chosen.length < 4) for (const o of r.outcomes) console.log("  ", o);
  const seen = new Set<string>();
  for (const v of r.violations) { const k = v.invariant + v.what; if (seen.has(k)) continue; seen.add(k); if (seen.size < 8) console.log("  !!", v.invariant, v.what, "\n     ", v.schedule.join("\n      ")); }
}
