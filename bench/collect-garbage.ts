import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Collects the garbage of whatever ran before, so that what is measured next does not pay for it. */
export const collectGarbage = exposedGc();

/** `gc`, without asking for the flag on the command line. */
function exposedGc(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}
