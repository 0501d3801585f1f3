/** A data directory and its Secret, without the rest of a server: as `openKept` brings them together. */

import { setTimeout as sleep } from "node:timers/promises";
import type {
  SecretPlace,
  TrustSecretError,
} from "../../src/app/server/kube/trust/trust-secret-error.ts";
import { openTrustSecret } from "../../src/app/server/kube/trust/open-trust-secret.ts";
import type { TrustSecretTimes } from "../../src/app/server/kube/trust/trust-secret-options.ts";
import type { TrustSecret } from "../../src/app/server/kube/trust/trust-secret.ts";
import { loadTrust } from "../../src/app/server/trust.ts";
import { nextTrust } from "../../src/core/trust/next-trust.ts";
import type { TrustState } from "../../src/core/trust/trust-state.ts";
import type { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import type { ServerConfig } from "../../src/edge/config/server-config.ts";
import { Store } from "../../src/edge/store/store.ts";
import { testConfig } from "../support/control-plane.ts";
import { logRecorder, type LogRecorder } from "../support/log-recorder.ts";

export interface TrustPlaceOptions {
  readonly connection: KubeConnection;
  readonly dataDir: string;
  readonly place: SecretPlace;
  readonly passphrase?: string;
  readonly times?: Partial<TrustSecretTimes>;
  readonly monotonicMs?: () => number;
  /** Ends the wait for the Lease. */
  readonly signal?: AbortSignal;
  readonly config?: Partial<Pick<ServerConfig, "trustDomain" | "maxTtlSeconds">>;
  readonly recorder?: LogRecorder;
  /** The log cannot be written. */
  readonly isLogFull?: () => boolean;
}

export interface TrustPlace extends AsyncDisposable {
  readonly store: Store;
  readonly secret: TrustSecret;
  readonly recorder: LogRecorder;
  /** Each time that it was to end. */
  readonly overtaken: readonly TrustSecretError[];
  /** Each time that the log says so: until when something may be valid that stands in no log of this directory. */
  readonly lostUntilMs: readonly number[];
  readonly state: () => TrustState;
  /** Another state of the next epoch, here only. */
  change(): TrustState;
  deny(id: string): void;
}

/** As at a start, to the moment in which it may sign. */
export async function startTrust(options: TrustPlaceOptions): Promise<TrustPlace> {
  await using owned = new AsyncDisposableStack();
  const { connection, dataDir, place } = options;
  const { recorder = logRecorder(), isLogFull = () => false } = options;
  const passphrase = options.passphrase === undefined ? undefined : Buffer.from(options.passphrase);
  const store = owned.use(await Store.open(dataDir, "server", passphrase));
  const own = { ...testConfig(dataDir), ...options.config };
  const config = { ...own, kubernetes: "off", kubeNamespace: place.namespace };
  const overtaken: TrustSecretError[] = [];
  const secret = await openTrustSecret(
    {
      connection,
      config,
      name: place.name,
      store,
      passphrase,
      log: recorder.log,
      nowMs: Date.now,
      monotonicMs: options.monotonicMs ?? (() => performance.now()),
      signal: options.signal ?? new AbortController().signal,
      onOvertaken: (error) => void overtaken.push(error),
      times: options.times ?? {},
    },
    owned,
  );
  await loadTrust(store, own, Date.now());
  const lostUntilMs: number[] = [];
  await secret.recordElsewhere(async (possibleUntilMs) => {
    if (isLogFull()) throw new Error("the log is full");
    lostUntilMs.push(possibleUntilMs);
  });
  await secret.publish();
  secret.watch();
  const state = (): TrustState => {
    const stored = store.loadTrustState();
    if (stored === undefined) throw new TypeError("there is no trust state");
    return stored;
  };
  const rest = owned.move();
  return {
    store,
    secret,
    recorder,
    overtaken,
    lostUntilMs,
    state,
    change: () => {
      secret.assertMayChange();
      const next = nextTrust(state(), {}).state;
      store.replaceTrustState({ state: next, keys: [], nowMs: Date.now() });
      return next;
    },
    deny: (id) => {
      const before = store.denials.load();
      const target = { kind: "identity", id } as const;
      const denial = { target, reason: "stolen", operator: "alice", createdAtMs: Date.now() };
      store.denials.replace(before, before.add(denial));
    },
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

/** Fails as `assertion` does when it does not hold in time. */
export async function holds(
  assertion: () => void | Promise<void>,
  timeoutMs = 10_000,
): Promise<void> {
  for (const endMs = performance.now() + timeoutMs; ; await sleep(50)) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() > endMs) throw error;
    }
  }
}
