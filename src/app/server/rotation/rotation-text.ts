/** What a change of trust does, for an operator to read: of a command that was carried out, or would be. */

import type { RotationCommand, RotationDecision } from "../../../core/trust/rotation.ts";
import type { AuthorityRecord, TrustState } from "../../../core/trust/trust-state.ts";

type Done = Extract<RotationDecision, { kind: "done" }>;

/**
 * A line for each thing that changes.
 * @param nameOf what an authority is called, by its ID
 */
export function linesOf(
  before: TrustState,
  { state, effects }: Pick<Done, "state" | "effects">,
  reissuePerSecond: number,
  nameOf: (id: string) => string,
): readonly string[] {
  return [
    ...state.authorities.flatMap((authority) => stepLine(before, authority, nameOf)),
    ...effects.map((effect) => {
      if (effect.kind === "publish-bundle") {
        return `the bundle gets sequence ${state.bundleSequence}, and everybody gets the bundle`;
      }
      if (effect.kind === "sign-with") {
        return `${nameOf(effect.authorityId)} signs from now on, the server's own certificates first`;
      }
      if (effect.kind === "destroy-key") return keyLine(before, effect.authorityId);
      return `what others have signed is renewed, ${reissuePerSecond} a second at most`;
    }),
  ];
}

function stepLine(
  before: TrustState,
  { id, state }: AuthorityRecord,
  nameOf: (id: string) => string,
): readonly string[] {
  const was = before.authorities.find((each) => each.id === id)?.state;
  if (was === state) return [];
  return [was === undefined ? `${nameOf(id)} is ${state}` : `${id} was ${was} and is ${state}`];
}

function keyLine({ authorities }: TrustState, authorityId: string): string {
  const isHere = authorities.find(({ id }) => id === authorityId)?.key === "store";
  return isHere
    ? `${authorityId} is trusted no more, and its key is destroyed here: backups have it still, and so have files that it came from`
    : `${authorityId} is trusted no more; its key is in your files or HSM: destroy it there`;
}

/**
 * What comes next after a command.
 * @param isOpen whether a step may be taken now
 * @param unobserved classes of readers that the end waits for, by name
 */
export function nextAfter(
  { kind }: RotationCommand,
  isOpen: (step: "activate" | "retire" | "abort") => boolean,
  unobserved: () => readonly string[],
): string {
  const waiting = "portcullis root status shows what it waits for";
  if (kind === "prepare") {
    return isOpen("activate")
      ? "portcullis root activate"
      : `portcullis root rotate --resume; ${waiting}`;
  }
  if (kind === "activate") {
    return isOpen("retire")
      ? "portcullis root retire, or portcullis root rollback"
      : `portcullis root rotate --resume, or portcullis root rollback; ${waiting}`;
  }
  if (kind === "rollback") {
    return isOpen("abort")
      ? "portcullis root abort, or portcullis root activate"
      : "portcullis root activate; portcullis root status shows what abort waits for";
  }
  const named = unobserved();
  if (named.length === 0) return "portcullis root status";
  const waivers = named.map((name) => `--waive ${name}`).join(" ");
  return (
    `when those who read the roots there have those of now: portcullis root rotate --resume ${waivers} ` +
    `--reason TEXT --for DURATION; ${waiting}`
  );
}
