/** What a change of trust does, for an operator to read: of a command that was carried out, or would be. */

import type { RotationCommand, RotationDecision } from "../../core/trust/rotation.ts";
import type { AuthorityRecord, TrustState } from "../../core/trust/trust-state.ts";

type Done = Extract<RotationDecision, { kind: "done" }>;

/** A line for each thing that changes. */
export function linesOf(
  before: TrustState,
  { state, effects }: Done,
  reissuePerSecond: number,
): readonly string[] {
  return [
    ...state.authorities.flatMap((authority) => stepLine(before, authority)),
    ...effects.map((effect) => {
      if (effect.kind === "publish-bundle") {
        return `the bundle gets sequence ${state.bundleSequence}, and everybody gets the bundle`;
      }
      if (effect.kind === "sign-with") {
        return `${effect.authorityId} signs from now on, the server's own certificates first`;
      }
      if (effect.kind === "destroy-key") return keyLine(before, effect.authorityId);
      return `what others have signed is renewed, ${reissuePerSecond} a second at most`;
    }),
  ];
}

function stepLine(before: TrustState, { id, state }: AuthorityRecord): readonly string[] {
  const was = before.authorities.find((each) => each.id === id)?.state;
  if (was === state) return [];
  return [was === undefined ? `${id} is ${state}` : `${id} was ${was} and is ${state}`];
}

function keyLine({ authorities }: TrustState, authorityId: string): string {
  const isHere = authorities.find(({ id }) => id === authorityId)?.key === "store";
  return isHere
    ? `${authorityId} is trusted no more, and its key is destroyed`
    : `${authorityId} is trusted no more; its key is in your files or HSM: destroy it there`;
}

/** What comes next, by the command before it. */
export const nextCommands: Readonly<Record<RotationCommand["kind"], string>> = {
  prepare: "portcullis root activate",
  activate: "portcullis root retire, or portcullis root rollback",
  rollback: "portcullis root abort, or portcullis root activate",
  retire: "portcullis root status",
  abort: "portcullis root status",
  compromise: "portcullis root status",
  confirm: "portcullis root status",
};
