/** Before the trust state says that an authority signs: whether it can. */

import { createPrivateKey } from "node:crypto";
import { equalBytes } from "../../core/bytes.ts";
import { PortcullisError } from "../../core/error.ts";
import type { RotationRefusal } from "../../core/trust/rotation.ts";
import {
  activeAuthority,
  type AuthorityRecord,
  type TrustState,
} from "../../core/trust/trust-state.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { NewSigningKey, Store } from "../../edge/store/store.ts";
import { keySource } from "./open-trust.ts";
import type { PluggedIn } from "./plugged-authority.ts";
import type { AuthorityParts, KeySource } from "./signing-protocol.ts";
import type { TrustKeeper } from "./trust-keeper.ts";

interface KeyQuestions {
  readonly store: Pick<Store, "signingKey">;
  readonly trust: TrustKeeper;
  readonly config: () => ServerConfig;
  /** @throws why it cannot be used */
  readonly prove: (parts: AuthorityParts) => Promise<void>;
}

/** What comes with a command. */
interface BroughtKeys {
  readonly keys?: readonly NewSigningKey[];
  readonly plugged?: PluggedIn;
}

/** @returns undefined where it can, or is the one that signs now */
export async function keyRefusal(
  { trust, store, config, prove }: KeyQuestions,
  next: TrustState,
  { keys = [], plugged }: BroughtKeys,
): Promise<RotationRefusal | undefined> {
  const { current } = trust;
  const active = activeAuthority(next);
  const { id, chain, root } = active;
  if (equalBytes(root, activeAuthority(current.state).root)) return undefined;
  const brought = keys.find((key) => key.id === id);
  try {
    const source =
      brought === undefined
        ? keySource(store, config(), active, plugged ?? current.plugged)
        : softwareSource(brought);
    if (source === undefined) return keyMissing(active, "it is nowhere that this server looks");
    await prove({ source, chain, root });
    return undefined;
  } catch (error) {
    if (!(error instanceof PortcullisError)) throw error;
    return keyMissing(active, error.message);
  }
}

function softwareSource({ privateKeyPkcs8 }: NewSigningKey): KeySource {
  const der = Buffer.from(privateKeyPkcs8);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  return { kind: "software", location: "store", key };
}

function keyMissing({ id }: AuthorityRecord, why: string): RotationRefusal {
  return {
    code: "key-missing",
    message: `expected the key of authority ${id}, which is to sign: ${why}`,
    hint: "put its files back into --ca-dir or make its HSM reachable, then try again; or: portcullis root abort",
  };
}
