/** How a flip ends, or how somebody stops looking at it: with what there is to do next. */

import { ExitCode, type Context } from "./command.ts";
import type { Progress } from "./live-progress.ts";
import { notBackNext, notBackText } from "./mtls-flip-back.ts";
import { doneNext, doneText, isLeftOpen } from "./mtls-flip-done.ts";
import { flipNext, statusNext } from "./mtls-flip-next.ts";
import type { FlipValue } from "./mtls-flip-value.ts";
import { causeWords, objectWords } from "./mtls-flip-words.ts";
import { nextLines, type NextValue } from "./next-commands.ts";
import { commandOf, type ServerTarget } from "./server-target.ts";

export interface FlipEnds {
  readonly over: (flip: FlipValue) => ExitCode;
  /** All of it takes plaintext again, and its object still says STRICT. */
  readonly heldBack: (flip: FlipValue) => ExitCode;
  /** The server does not know it any more: as after a restore. */
  readonly gone: (flip: FlipValue) => ExitCode;
  /** It goes on by itself. */
  readonly interrupted: (flip: FlipValue) => ExitCode;
}

export interface EndOptions {
  readonly server: ServerTarget;
  readonly progress: Progress;
  /** Whether the end that is wanted is the way back. */
  readonly isRevert: boolean;
}

export function flipEnds(context: Context, { server, progress, isRevert }: EndOptions): FlipEnds {
  const say = (event: string, text: string, flip: FlipValue, next: readonly NextValue[]): void => {
    progress.note(event, text, { flip, next });
    if (progress.isJson) return;
    context.stderr.write(nextLines("next", next, Date.parse(flip.now)));
  };
  return {
    over: (flip) => {
      const { target, state } = flip;
      if (state === "done") {
        say("done", doneText(flip), flip, doneNext(flip, server));
        if (isRevert) return ExitCode.refused;
        return isLeftOpen(flip) ? ExitCode.warning : ExitCode.ok;
      }
      const why = `${state}: ${causeWords(flip) || "no reason is told"}`;
      const left = notBackText(flip);
      const text = left === "" ? why : `${why}; ${left}`;
      const back = notBackNext(flip, server);
      if (isRevert && state === "reverted") {
        say(state, text, flip, back);
        return left === "" ? ExitCode.ok : ExitCode.warning;
      }
      const check = { command: commandOf(server, "mtls check", [target]), why: "who calls it" };
      const next = state === "reverted" ? check : statusNext(flip, server);
      say(state, text, flip, [...back, next]);
      return ExitCode.refused;
    },
    heldBack: (flip) => {
      const { target, createsObject } = flip;
      const object = objectWords(flip);
      const left = notBackText(flip);
      const what = left === "" ? "all of it takes plaintext again" : left;
      const print = commandOf(server, "mtls revert", [target, "--dry-run", "-o", "yaml"]);
      const look = commandOf(server, "mtls flip", [target]);
      const until = createsObject ? `${object} is gone again` : `${object} says so itself`;
      say("held-back", `${what}; it is held back until ${until}`, flip, [
        ...notBackNext(flip, server),
        createsObject
          ? { command: "", why: `delete the file that has ${object}, and commit that` }
          : { command: print, why: "commit what this prints" },
        { command: look, why: "when it has arrived, this says that it is over" },
      ]);
      return left === "" ? ExitCode.ok : ExitCode.warning;
    },
    gone: (flip) => {
      const text = `the server does not know flip ${flip.id} of ${flip.target} any more`;
      say("gone", text, flip, [statusNext(flip, server)]);
      return ExitCode.warning;
    },
    interrupted: (flip) => {
      progress.end();
      const next = flipNext(flip, server);
      const text = isRevert ? "the way back goes on by itself" : "the flip goes on by itself";
      if (progress.event("interrupted", { text, flip, next })) return ExitCode.warning;
      const nowMs = Date.parse(flip.now);
      context.stderr.write(`interrupted: ${text}\n${nextLines("next", next, nowMs)}`);
      return ExitCode.warning;
    },
  };
}
