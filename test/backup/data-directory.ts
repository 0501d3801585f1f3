/** The data directory of a server that is stopped: a trust state with its keys, and a log with certificates. */

import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { createOwnTrust } from "../../src/app/server/new-trust.ts";
import { DenyList } from "../../src/core/deny/deny-list.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { LogStore } from "../../src/edge/log/log-store.ts";
import { Store } from "../../src/edge/store/store.ts";
import { testConfig } from "../support/control-plane.ts";
import { addCertificates, openStore } from "../support/log-store.ts";

export const CERTIFICATES = 300;
export const passphrase = "correct horse battery staple";

export const openServerStore = (dataDir: string): Promise<Store> => Store.open(dataDir, "server");
export const openServerLog = (dataDir: string): Promise<LogStore> => openStore(dataDir);

/** Of `cluster.local`; one identity is denied. @returns when its certificates were signed: each lives for a day */
export async function makeDataDirectory(dataDir: string): Promise<number> {
  using store = await openServerStore(dataDir);
  const trustDomain = TrustDomain.parse("cluster.local");
  const nowMs = wholeSecondMs();
  await createOwnTrust(store, { ...testConfig(dataDir), trustDomain }, nowMs);
  const target = { kind: "identity", id: "spiffe://cluster.local/ns/x/sa/y" } as const;
  const denial = { target, reason: "leaked", operator: "alice", createdAtMs: nowMs };
  store.denials.replace(DenyList.empty, DenyList.empty.add(denial));
  await using log = await openServerLog(dataDir);
  await addCertificates(log, 0, CERTIFICATES, nowMs);
  return nowMs;
}

export function wholeSecondMs(): number {
  return Math.floor(Date.now() / 1_000) * 1_000;
}

/** @returns its path */
export function passphraseFile(directory: string, text: string = passphrase): string {
  const path = join(directory, `passphrase-${text.length}`);
  writeFileSync(path, `${text}\n`);
  return path;
}
