/** Before a server with `--trust-secret` loads its trust: waits for the Lease, and takes over what the Secret has. */

import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { leaseHolder } from "../../../../core/kube/trust/lease.ts";
import type { KubeConnection } from "../../../../edge/kube/kube-connection.ts";
import { LeaseObject } from "../../../../edge/kube/trust/lease-object.ts";
import { TrustSecretObject } from "../../../../edge/kube/trust/trust-secret-object.ts";
import type { ServerConfig } from "../../../../edge/config/server-config.ts";
import type { Store } from "../../../../edge/store/store.ts";
import type { Logger } from "../../../../edge/telemetry/logger.ts";
import { ownNamespace } from "../own-namespace.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { LocalTrustRecords } from "./local-trust-records.ts";
import type { TrustSecretOptions, TrustSecretTimes } from "./trust-secret-options.ts";
import { TrustSecret } from "./trust-secret.ts";

export interface OpenTrustSecretOptions {
  readonly connection: KubeConnection;
  readonly config: Pick<
    ServerConfig,
    "kubernetes" | "kubeNamespace" | "trustDomain" | "maxTtlSeconds"
  >;
  /** Of the Secret, and of the Lease. */
  readonly name: string;
  readonly store: Store;
  /** Of the store's keys. */
  readonly passphrase: Uint8Array | undefined;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Counts suspension. */
  readonly monotonicMs: () => number;
  readonly signal: AbortSignal;
  readonly onOvertaken: TrustSecretOptions["onOvertaken"];
  readonly times?: Partial<TrustSecretTimes>;
}

/** A deny waits for a publication that is under way; a Lease has 10 s for its renewals. */
const deadlineMs = 2_000;

/**
 * @param owned gives the Lease back, last of all
 * @throws TrustSecretError, KubeError, StoreError: nothing is changed here or there; the reason of the signal
 */
export async function openTrustSecret(
  options: OpenTrustSecretOptions,
  owned: AsyncDisposableStack,
): Promise<TrustSecret> {
  const { connection, config, name, store, passphrase } = options;
  const namespace = await ownNamespace(config);
  const local = new LocalTrustRecords({ ...config, store, passphrase });
  const identity = leaseHolder(hostname(), local.writer, randomBytes(4).toString("hex"));
  const lease = owned.use(
    await LeaseKeeper.acquire({
      ...options,
      object: new LeaseObject(connection, namespace, name, deadlineMs),
      identity,
    }),
  );
  const held = { namespace, name, holder: identity };
  const object = new TrustSecretObject(connection, held, deadlineMs);
  const secret = owned.use(new TrustSecret({ ...options, object, local, lease }));
  await secret.begin();
  return secret;
}
