/** What an operator does where the way to a server ends: at the API server, at its pod, at its port, or at what it shows there. */

import { inThePod, type PodName } from "../../../core/kube/in-the-pod.ts";
import { KubeError } from "../kube-error.ts";

/** @returns undefined where the error says it itself */
export function handshakeHint(error: unknown, at: PodName): string | undefined {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (/CERT_NOT_YET_VALID|CERT_HAS_EXPIRED/.test(code)) {
    const there = `kubectl --namespace ${at.namespace} exec ${at.pod} -- date -u`;
    return `one of the two clocks is wrong, or nobody renews it: compare date -u here with ${there}; ${inThePod(at)}`;
  }
  // Of another certificate, or of none that is for a server, the words of TLS say enough.
  if (/CERT|ERR_TLS/.test(code)) return undefined;
  return `the server does not serve operators there (yet); ${inThePod(at)}`;
}

/** @param asked of the API server, on the way */
export async function orUnreachable<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    const isUnreached = error instanceof KubeError && error.code === "kube-unreachable";
    if (!isUnreached || error.hint !== undefined) throw error;
    const hint =
      "is it the API server of that context, and does it run? kubectl cluster-info; " +
      "while it is away a server is asked on its pod's node: docs/kubernetes.md, When the API server is away";
    throw new KubeError(error.code, error.message, { cause: error, hint });
  }
}
