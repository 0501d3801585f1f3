/**
 * What the server keeps, opened in the order in which one needs the other: the store, the trust in it, the log under a key
 * from it, and then, before anything new is written, what the log must say of this start.
 */

import type { LogClockStatus } from "../../core/log/log-clock.ts";
import { parseVerifierKey } from "../../core/log/note-key.ts";
import { removeLeftCopies } from "../../edge/backup/copy-directory.ts";
import { removeEndpoints, writeStarting } from "../../edge/config/endpoints.ts";
import { readPassphrase } from "../../edge/ca/key-file.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { KubeConnection } from "../../edge/kube/kube-connection.ts";
import type { LogStore } from "../../edge/log/log-store.ts";
import { restoredTrust } from "../../core/trust/trust-state.ts";
import { Store, type StoreMaker } from "../../edge/store/store.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";
import { Denials } from "./denials.ts";
import { LogKeeper } from "./log/log-keeper.ts";
import { openLog } from "./log/open-log.ts";
import { recordUnlogged } from "./log/unlogged.ts";
import { openTrust } from "./open-trust.ts";
import { Restoration } from "./restoration.ts";
import { RestoreRecords } from "./restore-records.ts";
import type { AuthorityParts } from "./signing/signing-protocol.ts";
import { proveAtStart } from "./signing/start-proof.ts";
import { TrustKeeper } from "./trust-keeper.ts";
import { loadTrust } from "./trust.ts";
import type { OpenTrustSecretOptions } from "./kube/trust/open-trust-secret.ts";
import type { TrustSecret } from "./kube/trust/trust-secret.ts";

export interface KeptOptions {
  readonly config: ServerConfig;
  readonly maker: StoreMaker;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Counts suspension; from any origin. */
  readonly monotonicMs: () => number;
  /** Aborted when the server is told to end. */
  readonly signal: AbortSignal;
  /** For `--trust-secret`. */
  readonly connection?: KubeConnection | undefined;
  readonly onOvertaken: OpenTrustSecretOptions["onOvertaken"];
}

export interface Kept {
  readonly store: Store;
  readonly trust: TrustKeeper;
  /** Undefined: the trust state is in the data directory alone. */
  readonly trustSecret: TrustSecret | undefined;
  /** The log of what was signed. */
  readonly transparency: LogStore;
  readonly keeper: LogKeeper;
  readonly records: RestoreRecords;
  readonly restoration: Restoration;
  /** @throws while it is not known what a restored log has lost, or whether the trust state is current */
  readonly assertMaySign: () => void;
  readonly denials: Denials;
}

/**
 * @param owned closes it all again, in reverse order
 * @throws StoreError, LogError, BackupError, PrivateFileError; whatever `loadTrust` throws
 */
export async function openKept(options: KeptOptions, owned: AsyncDisposableStack): Promise<Kept> {
  const { config, maker, log, nowMs, monotonicMs, signal } = options;
  const { dataDir, trustDomain } = config;
  const prove = (parts: AuthorityParts): Promise<void> => proveAtStart(parts, { log, signal });
  const passphrase = await readPassphrase(config.keyPassphraseFile);
  const store = owned.use(await Store.open(dataDir, maker, passphrase));
  // For whoever asks meanwhile. What keeps it from being written keeps the rest, too, and that says so better.
  await writeStarting(dataDir).catch((error: unknown) =>
    log.warn({ event: "starting-unsaid", error }, "operators are not told that it is starting"),
  );
  owned.defer(() => removeEndpoints(dataDir));
  await removeLeftCopies(dataDir);
  const trustSecret = await openSecret(options, { store, passphrase }, owned);
  const trust = new TrustKeeper(await loadTrust(store, config, nowMs(), prove));
  const { log: transparency, unknown } = await openLog(store, dataDir, trustDomain, nowMs());
  owned.use(transparency);
  if (unknown > 0) log.warn({ event: "log-intents-closed", unknown }, "may have been signed");
  const keeper = owned.use(
    new LogKeeper({
      log: transparency,
      facts: store.facts,
      read: () => ({ wallMs: nowMs(), monotonicMs: monotonicMs() }),
      onChange: (status) => logClockStatus(status, log),
      onFailed: (error) => log.error({ event: "log-failed", error }, "not recorded"),
    }),
  );
  const records = new RestoreRecords({
    reader: transparency.reader,
    recall: () => store.facts.recall("log-restores"),
    remember: (text) => store.facts.remember("log-restores", text),
  });
  const restoration = owned.use(
    await Restoration.begin({
      dataDir,
      verifier: parseVerifierKey(transparency.reader.verifierKey()),
      record: (event) => keeper.event(event),
      records,
      onRestored: () => {
        const { plugged, authorityParts, state: before } = trust.current;
        const state = restoredTrust(before);
        store.replaceTrustState({ state, keys: [], nowMs: nowMs() });
        trust.replace(openTrust(store, config, state, plugged, authorityParts));
      },
      maxTtlMs: () => config.maxTtlSeconds * 1_000,
      waitMs: config.restoreWaitSeconds * 1_000,
      log,
    }),
  );
  await trustSecret?.recordElsewhere(async (possibleUntilMs) => {
    const { reader } = transparency;
    const reason = "another server has had the trust of the cluster's Secret";
    await recordUnlogged({ reader, keeper, records }, { reason, possibleUntilMs });
  });
  await trustSecret?.publish();
  trustSecret?.watch();
  await keeper.trustIs(trust.current.state);
  const denials = new Denials({
    stored: {
      load: () => store.denials.load(),
      replace: (before, after) => {
        trustSecret?.assertNotOvertaken();
        return store.denials.replace(before, after);
      },
    },
    writer: transparency.writer,
    onStored: (state) => {
      trust.keepDenials(state);
      // A denial is in force although the API server is away.
      trustSecret?.owe();
    },
    nowMs: () => keeper.time.nowMs(),
    provenMs: () => keeper.proven.nowMs(),
  });
  const assertMaySign = (): void => {
    restoration.assertSettled();
    trustSecret?.assertMaySign();
  };
  const kept = { store, trust, trustSecret, transparency, keeper, records, restoration, denials };
  return { ...kept, assertMaySign };
}

async function openSecret(
  options: KeptOptions,
  opened: Pick<OpenTrustSecretOptions, "store" | "passphrase">,
  owned: AsyncDisposableStack,
): Promise<TrustSecret | undefined> {
  const { config, connection } = options;
  const { trustSecret: name } = config;
  if (name === undefined || connection === undefined) return undefined;
  const { openTrustSecret } = await import("./kube/trust/open-trust-secret.ts");
  return await openTrustSecret({ ...options, ...opened, connection, name }, owned);
}

function logClockStatus(status: LogClockStatus, log: Logger): void {
  if (status.kind === "ok") {
    log.warn({ event: "clock-good" }, "the clock is good again: signing goes on");
    return;
  }
  const { jumpMs, direction } = status;
  const hint = "set the clock right, or `portcullis clock accept` if it is right now";
  log.error(
    { event: "clock-jumped", jumpMs, direction, hint },
    "the clock has jumped: nothing is signed",
  );
}
