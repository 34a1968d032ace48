/** The workflows as somebody would write them who has no graph. Temporal bundles this file. */
import { condition, defineQuery, defineUpdate, proxyActivities, setHandler } from "@temporalio/workflow";
import { STEPS } from "./case-file.ts";
import type { CaseFile } from "./case-file.ts";
import type { HandWrittenActivities } from "./hand-written-activities.ts";

const activities = proxyActivities<HandWrittenActivities>({ startToCloseTimeout: "1 minute" });

/** Hands the case from activity to activity. */
export async function handleCase(start: CaseFile): Promise<CaseFile> {
  let file = start;
  for (const step of STEPS) file = await activities[step]!(file);
  return file;
}

/** Works on the case, asks a person, and waits. */
export async function askPerson(start: CaseFile): Promise<CaseFile> {
  let file = start;
  let isWaiting = false;
  let approved: boolean | undefined;
  setHandler(defineQuery<boolean>("isWaiting"), () => isWaiting);
  setHandler(defineUpdate<void, [boolean]>("approve"), (answer) => {
    approved = answer;
  });
  file = await activities["step1"]!(file);
  file = await activities["ask"]!(file);
  isWaiting = true;
  await condition(() => approved !== undefined);
  return { ...file, approved: approved === true };
}
