/** Where a server says what it waits for while it serves nobody from outside: in its log, and at the socket of its data directory. */

export interface PodName {
  readonly namespace: string;
  readonly pod: string;
}

/** As the manifests of `deploy` have it. */
const podDataDir = "/var/lib/portcullis/data";

export function inThePod({ namespace, pod }: PodName): string {
  const at = `kubectl --namespace ${namespace}`;
  return (
    `its log: ${at} logs ${pod}; ` +
    `it itself, in the pod: ${at} exec ${pod} -- portcullis doctor --data-dir ${podDataDir}`
  );
}
