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
      switch (effect.kind) {
        case "publish-bundle":
          return `the bundle gets sequence ${state.bundleSequence}, and everybody gets the bundle`;
        case "sign-with":
          return `${effect.authorityId} signs from now on, the server's own certificates first`;
        case "reissue":
          return `what others have signed is renewed, ${reissuePerSecond} a second at most`;
        case "destroy-key":
          return keyLine(before, effect.authorityId);
      }
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

/** The next command. */
export function nextCommand({ kind }: RotationCommand): string {
  switch (kind) {
    case "prepare":
      return "portcullis root activate";
    case "activate":
      return "portcullis root retire, or portcullis root rollback";
    case "rollback":
      return "portcullis root abort, or portcullis root activate";
    case "retire":
    case "abort":
    case "compromise":
    case "confirm":
      return "portcullis root status";
  }
}
