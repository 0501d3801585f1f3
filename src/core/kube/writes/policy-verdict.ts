/** Whether what a PeerAuthentication lets in without TLS could be ended, in the words of its status. */

import type { PeerAuthentication, PeerMode } from "../../resources/peer-authentication.ts";
import type { JudgedPart } from "../guard/admission-decision.ts";
import type { PolicyVerdict } from "./conditions.ts";

const namesMax = 5;

/** Whether it says PERMISSIVE somewhere. */
export function isPermissive({ mode, ports }: PeerAuthentication): boolean {
  return mode === "PERMISSIVE" || Array.from(ports.values()).includes("PERMISSIVE");
}

/** With STRICT in the place of PERMISSIVE, and nothing else. */
export function madeStrict(policy: PeerAuthentication): PeerAuthentication {
  const strict = (mode: PeerMode): PeerMode => (mode === "PERMISSIVE" ? "STRICT" : mode);
  const ports = Array.from(policy.ports, ([port, mode]) => [port, strict(mode)] as const);
  return { ...policy, mode: strict(policy.mode), ports: new Map(ports) };
}

/** @param cut why there may be more; "" where there are none. @returns undefined where it decides for nobody */
export function verdictOf(parts: readonly JudgedPart[], cut: string): PolicyVerdict | undefined {
  if (parts.length === 0 && cut === "") return undefined;
  const of = (kind: "unsafe" | "unknown"): readonly string[] => [
    ...new Set(parts.filter((each) => each.kind === kind).flatMap(({ names }) => names)),
  ];
  if (parts.some(({ kind }) => kind === "unsafe")) {
    return { kind: "UNSAFE", why: `STRICT would refuse ${named(of("unsafe"))}` };
  }
  if (parts.some(({ kind }) => kind === "unknown")) {
    return { kind: "UNKNOWN", why: `evidence is missing of ${named(of("unknown"))}` };
  }
  if (cut !== "") return { kind: "UNKNOWN", why: `not all was judged: ${cut}` };
  const waived = [...new Set(parts.flatMap((each) => each.waived ?? []))];
  const but = waived.length === 0 ? "" : ` but for ${named(waived)}, waived`;
  return { kind: "SAFE", why: `STRICT would refuse nobody who was seen${but}` };
}

function named(names: readonly string[]): string {
  const more = names.length - namesMax;
  const shown = names.slice(0, namesMax).join(", ") || "some";
  return more > 0 ? `${shown} and ${more} more` : shown;
}
