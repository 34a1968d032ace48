import { QUESTION, STEPS, work } from "./case-file.ts";
import type { CaseFile } from "./case-file.ts";

/** Activities by their types. */
export type HandWrittenActivities = Readonly<Record<string, (file: CaseFile) => Promise<CaseFile>>>;

/** One activity for each step, and one that asks. */
export const handWrittenActivities: HandWrittenActivities = {
  ...Object.fromEntries(STEPS.map((step) => [step, async (file: CaseFile) => workOn(file, step)])),
  ask: async (file) => ({ ...file, status: QUESTION }),
};

function workOn(file: CaseFile, step: string): CaseFile {
  const { status, line } = work(step);
  return { ...file, status, log: [...file.log, line] };
}
