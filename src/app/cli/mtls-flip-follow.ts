/** A flip that goes on in the server, as long as somebody looks: each stage, each caller that is refused, and how it ends. */

import { getFlips } from "../../edge/rpc/flip-client.ts";
import { ExitCode, type Context } from "./command.ts";
import { formatSpan } from "./format.ts";
import { callerWords } from "./mtls-check-watch.ts";
import { flipEnds, type FlipEnds } from "./mtls-flip-end.ts";
import { flipValue, isOver, type FlipValue } from "./mtls-flip-value.ts";
import { causeWords, flipWaiting, stageWords } from "./mtls-flip-words.ts";
import { isOnItsWay, openOf } from "./mtls-flip-workloads.ts";
import type { Progress } from "./live-progress.ts";
import { unlessAway, untilNextPoll } from "./poll.ts";
import { hinted, type ServerTarget } from "./server-target.ts";
import { firstOf } from "./text.ts";

export interface FollowOptions {
  readonly server: ServerTarget;
  readonly progress: Progress;
  /** Whether the end that is wanted is the way back. */
  readonly isRevert: boolean;
}

/** To its end, or until somebody stops looking. @throws CommandRefusedError */
export async function followFlip(
  context: Context,
  first: FlipValue,
  options: FollowOptions,
): Promise<ExitCode> {
  const { server, progress } = options;
  const ends = flipEnds(context, options);
  const told = new Told(progress);
  const wayBack = new WayBack();
  let last = first;
  let all: readonly FlipValue[] | undefined = [first];
  for (;;) {
    const flip = all?.find(({ id }) => id === first.id);
    if (all === undefined) progress.away("the flip goes on when it is back");
    else if (flip === undefined) return ends.gone(last);
    else {
      told.news(flip);
      const end = endOf(flip, wayBack.isOpen(flip), options, ends);
      if (end !== undefined) return end;
      progress.wait(flipWaiting(flip));
      last = flip;
    }
    await untilNextPoll(context);
    if (!context.signal.aborted) {
      all = await unlessAway(fetchFlips(server, first.target), context.signal);
    }
    if (context.signal.aborted) return ends.interrupted(last);
  }
}

/** The newest first. @throws AdminClientError, CommandRefusedError */
export async function fetchFlips(
  server: ServerTarget,
  target: string,
): Promise<readonly FlipValue[]> {
  const flips = await hinted(server, getFlips(server.address, target));
  return flips.map(flipValue).toSorted((a, b) => b.id - a.id);
}

/** @param isOpen somebody is on the way back */
function endOf(
  flip: FlipValue,
  isOpen: boolean,
  { isRevert }: FollowOptions,
  ends: FlipEnds,
): ExitCode | undefined {
  if (isOver(flip)) return isOpen ? undefined : ends.over(flip);
  const isAwaited = flip.awaitsObject && flip.waits.some(({ kind }) => kind === "object");
  const isHeld = flip.state === "reverting" && isAwaited && !isOpen;
  return isRevert && isHeld ? ends.heldBack(flip) : undefined;
}

/** After a start of the server agents are back by then, or they are away. */
const unheardMs = 60_000;

/** Where a flip was taken back, it is followed until all that can has gone back: its record is ahead of them. */
class WayBack {
  #unheardSinceMs: number | undefined;

  isOpen({ state, workloads, notBack, now }: FlipValue): boolean {
    if (state !== "reverting" && notBack.length === 0) return false;
    if (isOnItsWay(workloads)) return true;
    const nowMs = Date.parse(now);
    const isUnheard = workloads.some(({ absence }) => absence === "unheard");
    this.#unheardSinceMs = isUnheard ? (this.#unheardSinceMs ?? nowMs) : undefined;
    return this.#unheardSinceMs !== undefined && nowMs - this.#unheardSinceMs < unheardMs;
  }
}

/** What was said already. */
class Told {
  readonly #progress: Progress;
  readonly #callers = new Set<string>();
  readonly #steps = new Set<string>();
  #open: ReadonlySet<string> = new Set();

  constructor(progress: Progress) {
    this.#progress = progress;
  }

  news(flip: FlipValue): void {
    const step = `${flip.state} ${flip.stage}`;
    if (!this.#steps.has(step) && !isOver(flip)) this.#stepNews(flip);
    this.#steps.add(step);
    for (const caller of flip.refused) {
      const { name, kind } = caller;
      const key = `${kind} ${name}`;
      if (this.#callers.has(key)) continue;
      this.#callers.add(key);
      this.#progress.note("caller-refused", `refused ${callerWords(caller)}`, { caller });
    }
  }

  #stepNews(flip: FlipValue): void {
    const open = openOf(flip.workloads).map(({ name }) => name);
    const fresh = open.filter((name) => !this.#open.has(name));
    const names = fresh.length === 0 ? "" : `: ${firstOf(fresh, 10)}`;
    const text: Readonly<Record<string, string>> = {
      stage: `${stageWords(flip)} is open${names}`,
      watching: `all stages are open${names}; watched for ${windowWords(flip)}`,
      reverting: `taken back: ${causeWords(flip)}`,
    };
    const said = text[flip.state];
    if (said !== undefined) this.#progress.note(flip.state, said, { flip });
    this.#open = new Set(open);
  }
}

function windowWords({ windowEndsAt, now }: FlipValue): string {
  if (windowEndsAt === "") return "a while";
  return formatSpan(Math.max(0, Date.parse(windowEndsAt) - Date.parse(now)));
}
