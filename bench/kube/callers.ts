/**
 * Pods that call, and their requests. Each pod's token is the API server's own. As TokenRequest is slow and a token that was seen before
 * is cheap to everybody (the API server itself remembers it for 10 s), each request has a copy of its pod's with an id of its own, signed by the
 * cluster's key.
 */

import { createPrivateKey, randomUUID, sign } from "node:crypto";
import { promisify } from "node:util";
import type { Cluster } from "../../test/kube/cluster.ts";
import type { PodRef } from "../../test/kube/objects.ts";
import { claimsOf } from "../../test/kube/token-review.ts";
import { requestOf, writeRequests } from "../corpus.ts";
import { inFlight } from "./in-flight.ts";
import { tokenSeconds } from "./kube-rig.ts";

export interface KubeCaller {
  readonly pod: PodRef;
  readonly token: string;
}

const namespacesMax = 10;
/** Where the load generator calls from. */
const ip = "127.0.0.1";
const signAsync = promisify(sign);

/** Each with an account of its own. */
export async function makeCallers(cluster: Cluster, count: number): Promise<readonly KubeCaller[]> {
  const namespaces = await inFlight(namespacesMax, () => cluster.namespace("bench"));
  return await inFlight(count, async (index) => {
    const namespace = namespaces[index % namespacesMax] ?? "";
    const account = await cluster.serviceAccount(namespace, `workload-${index}`);
    const pod = await cluster.pod(account, { ip });
    const request = { pod, audience: "istio-ca", seconds: tokenSeconds };
    return { pod, token: await cluster.tokenOf(account, request) };
  });
}

export interface KubeRequestsOptions {
  readonly file: string;
  readonly records: number;
  readonly callers: readonly KubeCaller[];
  readonly cluster: Cluster;
}

export async function writeKubeRequests(
  { file, records, callers, cluster }: KubeRequestsOptions,
  signal: AbortSignal,
): Promise<void> {
  const key = createPrivateKey(cluster.tokenKeyPem);
  const known = callers.map(({ pod, token }) => ({
    header: token.split(".")[0] ?? "",
    claims: claimsOf(token),
    message: requestOf(`spiffe://cluster.local/ns/${pod.namespace}/sa/${pod.serviceAccount}`),
  }));
  const recordAt = async (index: number) => {
    const caller = known[index % known.length];
    if (caller === undefined) throw new RangeError("expected at least one caller, got none");
    const { header, claims, message } = caller;
    const fresh = JSON.stringify({ ...claims, jti: randomUUID() });
    const input = `${header}.${Buffer.from(fresh).toString("base64url")}`;
    const signature = await signAsync("sha256", Buffer.from(input), key);
    return { token: `${input}.${signature.toString("base64url")}`, message };
  };
  await writeRequests({ file, records, recordAt }, signal);
}
