/** How a flip ends, or how somebody stops looking at it: with what there is to do next. */

import { ExitCode, type Context } from "./command.ts";
import { formatSpan } from "./format.ts";
import type { Progress } from "./live-progress.ts";
import type { FlipValue } from "./mtls-flip-value.ts";
import { causeWords, objectWords } from "./mtls-flip-words.ts";
import { nextLines, type NextValue } from "./next-commands.ts";
import { commandOf, type ServerTarget } from "./server-target.ts";
import { firstOf } from "./text.ts";

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
        say("done", doneText(flip), flip, unseenNext(flip, server));
        return isRevert ? ExitCode.refused : ExitCode.ok;
      }
      const text = `${state}: ${causeWords(flip) || "no reason is told"}`;
      const isWanted = isRevert && state === "reverted";
      const check = { command: commandOf(server, "mtls check", [target]), why: "who calls it" };
      say(state, text, flip, isWanted ? [] : [state === "reverted" ? check : stands(flip, server)]);
      return isWanted ? ExitCode.ok : ExitCode.refused;
    },
    heldBack: (flip) => {
      const object = objectWords(flip);
      const text = `all of it takes plaintext again, and is held back until ${object} says so itself`;
      const { target } = flip;
      const print = commandOf(server, "mtls revert", [target, "--dry-run", "-o", "yaml"]);
      const look = commandOf(server, "mtls flip", [target]);
      say("held-back", text, flip, [
        { command: print, why: "commit what this prints" },
        { command: look, why: "when it has arrived, this says that it is over" },
      ]);
      return ExitCode.ok;
    },
    gone: (flip) => {
      const text = `the server does not know flip ${flip.id} of ${flip.target} any more`;
      say("gone", text, flip, [stands(flip, server)]);
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

/** Of those nobody knows whom they have refused. */
function unseenNext(
  { target, unseen }: FlipValue,
  server: Pick<ServerTarget, "flagText">,
): readonly NextValue[] {
  if (unseen.length === 0) return [];
  const command = commandOf(server, "mtls check", [target]);
  return [{ command, why: "whom they have refused, when they have told" }];
}

function stands({ target }: FlipValue, server: Pick<ServerTarget, "flagText">): NextValue {
  const [namespace = ""] = target.split("/", 1);
  const command = commandOf(server, "mtls status", ["-n", namespace]);
  return { command, why: "what is in force" };
}

/** Of one that goes on. */
export function flipNext(
  { target, state }: FlipValue,
  server: Pick<ServerTarget, "flagText">,
): readonly NextValue[] {
  const look = { command: commandOf(server, "mtls flip", [target]), why: "look at it again" };
  const back = { command: commandOf(server, "mtls revert", [target]), why: "take it back" };
  return state === "reverting" ? [look] : [look, back];
}

function doneText({ target, workloads, stages, startedAt, endedAt, unseen }: FlipValue): string {
  const time = formatSpan(Date.parse(endedAt) - Date.parse(startedAt));
  const all = workloads.length === 1 ? "1 workload" : `${workloads.length} workloads`;
  const count = stages.length === 1 ? "1 stage" : `${stages.length} stages`;
  const done = `done: ${target} is strict: ${all} in ${count}, ${time}`;
  if (unseen.length === 0) return done;
  const who = unseen.length === 1 ? "1 workload has" : `${unseen.length} workloads have`;
  return `${done}; ${who} not told of the whole window: ${firstOf(unseen)}`;
}
