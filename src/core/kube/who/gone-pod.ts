/**
 * Whether the pods are gone of an agent of which nobody hears: by the log, which says of each certificate for which pod it was issued, and by
 * UID, which never comes again. That they have ended is not said by it: who was deleted by force may run on. Pure.
 */

/** A certificate, as the log names who asked for it. */
export interface PodLeaf {
  readonly agent: string;
  readonly pod: string;
  /** "" where it was issued for none. */
  readonly podUid: string;
  readonly notAfterMs: number;
}

export interface GonePod {
  /** `earlier-pod`: another pod has its name now. */
  readonly absence: "pod-gone" | "earlier-pod";
  /** When the last of its certificates ends. */
  readonly absentUntilMs: number;
}

/**
 * @param leaves all that they have
 * @param uidOf of the pod that has a name now
 * @returns undefined where one of their pods may be there, and where there is no certificate
 */
export function gonePodOf(
  leaves: Iterable<PodLeaf>,
  uidOf: (pod: string) => string | undefined,
): GonePod | undefined {
  let isEarlier = false;
  let absentUntilMs = -Infinity;
  for (const { pod, podUid, notAfterMs } of leaves) {
    const uid = uidOf(pod);
    if (podUid === "" || podUid === uid) return undefined;
    isEarlier ||= uid !== undefined;
    absentUntilMs = Math.max(absentUntilMs, notAfterMs);
  }
  if (absentUntilMs === -Infinity) return undefined;
  return { absence: isEarlier ? "earlier-pod" : "pod-gone", absentUntilMs };
}
