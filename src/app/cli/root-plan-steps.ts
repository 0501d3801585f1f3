/** The steps of a rotation and how long each takes, by what the server knows now. Pure. */

import { formatSpan } from "./format.ts";
import { hangingText } from "./root-hanging.ts";
import { holdersOf, lastEndOf, leavesOf, outgoingOf, shapeOf } from "./root-judgement.ts";
import type { RootStatusValue } from "./root-value.ts";

export type PlanSpan = {
  readonly atLeast: number;
  /** As long as nobody refuses what it is sent. */
  readonly atMost: number;
};

export type PlanStep = {
  readonly name: string;
  readonly command: string;
  readonly state: "done" | "now" | "later";
  readonly what: string;
  readonly seconds: PlanSpan;
};

/** A push, an acknowledgement and a report, and the next look at the gate. */
const roundSeconds = 2;

export function allSteps(status: RootStatusValue): readonly Omit<PlanStep, "state">[] {
  const shape = shapeOf(status);
  const { prepared, retired } = shape;
  const outgoing = outgoingOf(shape);
  const { verifiers, maxTtlSeconds, skewMs, reissue } = status;
  // Nothing outlives this: whoever is away has no certificate then that anybody takes.
  const lifeSeconds = maxTtlSeconds + Math.ceil(skewMs / 1_000);
  const old = holdersOf(status, outgoing);
  const pace = reissue.perSecond;
  const reissueSeconds = pace > 0 ? Math.ceil(leavesOf(old) / pace) : 0;
  const lastSeconds = secondsUntil(lastEndOf(old), status.now);
  const hanging = hangingText(old, Date.parse(status.now));
  const moment = { atLeast: 0, atMost: roundSeconds };
  const round: PlanSpan = { atLeast: verifiers.total > 0 ? roundSeconds : 0, atMost: lifeSeconds };
  // Who is away is waited for before the activation; afterwards that is over.
  const ends = verifiers.laggards.map(({ endsAt }) => secondsUntil(endsAt, status.now));
  const awaySeconds = Math.max(round.atLeast, ...ends);
  return [
    step("prepare", "portcullis root prepare", moment, [
      "a new authority is made, and its root joins the trust bundle; it signs nothing yet",
    ]),
    step("confirm", "", { ...round, atLeast: awaySeconds }, [
      `${verifiers.total} verifiers have to confirm the bundle with the new root: seconds for who is`,
      "connected; who is away counts until its certificate has expired",
    ]),
    step("hand out files", "", { atLeast: 0, atMost: 0 }, [
      "whoever reads root-cert.pem from a copy, and agents that are yet to start (--server-root), get the",
      "new one, with both roots, before the activation; bundle show prints it",
    ]),
    step("activate", "portcullis root activate", moment, [
      "the new authority signs; root rollback takes it back while both are trusted",
    ]),
    step(
      "re-issue and expire",
      "",
      {
        atLeast: Math.max(reissueSeconds, lastSeconds),
        atMost: Math.max(reissueSeconds, lifeSeconds),
      },
      outgoing === undefined && retired.length > 0
        ? [
            `${retired.map(({ id }) => id).join(" and ")}: no certificate of it is waited for any more`,
          ]
        : [
            `${outgoing?.id ?? "the active authority"}: ${hanging}; they are asked to be renewed at`,
            `${pace} a second, and each of the old ones counts until it has expired, as does each that is`,
            `signed before the activation: one may be asked for that lives ${formatSpan(maxTtlSeconds * 1_000)}`,
          ],
    ),
    step("retire", "portcullis root retire", moment, [
      "the old root leaves the bundle, and its key is destroyed; there is no way back",
    ]),
    step("confirm the end", "", round, [
      "verifiers have to confirm the bundle without the old root; then files are to be handed out again",
    ]),
  ].map((each, index) =>
    index === 0 && prepared !== undefined ? { ...each, what: `${prepared.id} is prepared` } : each,
  );
}

function step(
  name: string,
  command: string,
  seconds: PlanSpan,
  lines: readonly string[],
): Omit<PlanStep, "state"> {
  // What is out there may live longer than anything that can be asked for now.
  const atMost = Math.max(seconds.atLeast, seconds.atMost);
  return { name, command, what: lines.join(" "), seconds: { ...seconds, atMost } };
}

function secondsUntil(at: string, now: string): number {
  return at === "" ? 0 : Math.max(0, Math.ceil((Date.parse(at) - Date.parse(now)) / 1_000));
}
