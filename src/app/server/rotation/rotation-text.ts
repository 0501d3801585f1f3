/** What a change of trust does, for an operator to read: of a command that was carried out, or would be. */

import { X509Certificate } from "node:crypto";
import { hasBytes } from "../../../core/bytes.ts";
import { rootSha256 } from "../../../core/spiffe/roots-digest.ts";
import type { RotationCommand, RotationDecision } from "../../../core/trust/rotation.ts";
import {
  bundleOf,
  type AuthorityRecord,
  type TrustState,
} from "../../../core/trust/trust-state.ts";

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
    ...rootLines(before, state),
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

/** Of roots that leave with an authority, and are none of an authority's. */
function rootLines(before: TrustState, after: TrustState): readonly string[] {
  const has = bundleOf(after).roots;
  const gone = before.otherRoots.filter((root) => !hasBytes(has, root));
  return gone.map((root) => {
    const subject = new X509Certificate(root).subject.replaceAll("\n", ", ");
    return `root ${subject} (SHA-256 ${rootSha256(root)}) is trusted no more: it has a key of the authority's`;
  });
}

function keyLine({ authorities }: TrustState, authorityId: string): string {
  const isHere = authorities.find(({ id }) => id === authorityId)?.key === "store";
  return isHere
    ? `${authorityId} is trusted no more, and its key is destroyed here: backups have it still, and so have files that it came from`
    : `${authorityId} is trusted no more; its key is in your files or HSM: destroy it there`;
}

const goBack = "or go back: portcullis root rollback";
const again = "or have it sign once more: portcullis root activate";

/**
 * What comes next after a command: clauses as of a refusal's hint.
 * @param isOpen whether a step may be taken now
 * @param unobserved classes of readers that the end waits for, by name
 */
export function nextAfter(
  { kind }: RotationCommand,
  isOpen: (step: "activate" | "retire" | "abort") => boolean,
  unobserved: () => readonly string[],
): string {
  const waiting = "what it waits for: portcullis root status";
  if (kind === "prepare") {
    return isOpen("activate")
      ? "portcullis root activate"
      : `portcullis root rotate --resume; ${waiting}`;
  }
  if (kind === "activate") {
    return isOpen("retire")
      ? `portcullis root retire; ${goBack}`
      : `portcullis root rotate --resume; ${goBack}; ${waiting}`;
  }
  if (kind === "rollback") {
    return isOpen("abort")
      ? `portcullis root abort; ${again}`
      : `what abort waits for: portcullis root status; and then: portcullis root abort; ${again}`;
  }
  const named = unobserved();
  if (named.length === 0) return "portcullis root status";
  const waivers = named.map((name) => `--waive ${name}`).join(" ");
  return (
    `when those who read the roots there have those of now: portcullis root rotate --resume ${waivers} ` +
    `--reason TEXT --for DURATION; ${waiting}`
  );
}
