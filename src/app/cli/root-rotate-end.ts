/** How `root rotate` ends before its time: refused, interrupted, or out of time; with the next commands. */

import { ExitCode, type Context } from "./command.ts";
import type { LaggardValue } from "./laggard-value.ts";
import type { Refuse } from "./root-change.ts";
import { waiverNext } from "./root-classes.ts";
import type { Progress } from "./live-progress.ts";
import { nextLines, nextOf, type NextValue } from "./next-commands.ts";
import { rotationAway } from "./root-progress-text.ts";
import { refusedText } from "./root-refused-text.ts";
import type { ServerTarget } from "./server-target.ts";

export interface RotateEnds {
  readonly refuse: Refuse;
  /** An error to the frame, which makes the signal's own exit code of it. */
  readonly interrupted: (laggards: readonly LaggardValue[]) => ExitCode;
  readonly timedOut: (laggards: readonly LaggardValue[]) => ExitCode;
}

export function rotateEnds(context: Context, target: ServerTarget, progress: Progress): RotateEnds {
  const { stderr } = context;
  const resume = nextOf(target, "portcullis root rotate --resume");
  const say = (event: string, head: string, text: string, next: readonly NextValue[]): void => {
    progress.end();
    if (progress.event(event, { text, next })) return;
    stderr.write(`${head}: ${text}\n${nextLines("next", next, context.nowMs())}`);
  };
  return {
    refuse: async (refused) => {
      progress.end();
      if (!progress.event("refused", { refused })) {
        stderr.write(await refusedText(refused, target, context));
      }
      return ExitCode.refused;
    },
    interrupted: (laggards) => {
      const text = rotationAway;
      say("interrupted", "interrupted", text, [...waiverNext(target, laggards), ...resume]);
      return ExitCode.error;
    },
    timedOut: (laggards) => {
      const text = `the time is over, and ${rotationAway}`;
      const shown = nextOf(target, "portcullis root status");
      say("timeout", "warning", text, [...shown, ...waiverNext(target, laggards), ...resume]);
      return ExitCode.warning;
    },
  };
}
