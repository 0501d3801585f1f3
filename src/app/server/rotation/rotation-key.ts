/** Before the trust state says that an authority signs: whether it can. */

import { createPrivateKey } from "node:crypto";
import { equalBytes } from "../../../core/bytes.ts";
import { PortcullisError } from "../../../core/error.ts";
import type { PluggedAuthority } from "../../../core/trust/plugged-trust.ts";
import type { RotationCommand, RotationRefusal } from "../../../core/trust/rotation.ts";
import {
  activeAuthority,
  type AuthorityRecord,
  type TrustState,
} from "../../../core/trust/trust-state.ts";
import type { ServerConfig } from "../../../edge/config/server-config.ts";
import type { NewSigningKey, Store } from "../../../edge/store/store.ts";
import { keySource } from "../open-trust.ts";
import type { PluggedIn } from "../plugged-authority.ts";
import type { AuthorityParts, KeySource } from "../signing/signing-protocol.ts";
import type { TrustKeeper } from "../trust-keeper.ts";
import type { Trust } from "../trust.ts";

interface KeyQuestions {
  readonly store: Pick<Store, "signingKey">;
  readonly trust: TrustKeeper;
  readonly config: () => ServerConfig;
  /** @throws why it cannot be used */
  readonly prove: (parts: AuthorityParts) => Promise<void>;
}

/** Where keys may be now. */
export interface KeyPlaces {
  readonly store: Pick<Store, "hasKey" | "signingKey">;
  readonly trust: () => Pick<Trust, "plugged" | "authorityParts">;
  /** The operator's files as they were read last, whether they were taken or not. */
  readonly filed: () => PluggedAuthority | undefined;
  readonly config: () => ServerConfig;
}

/** With what it brings. */
interface KeyOrder {
  readonly command: RotationCommand;
  readonly keys?: readonly NewSigningKey[];
  readonly plugged?: PluggedIn;
}

/**
 * "files" or "pkcs11" where the key is the operator's, "memory" where it was in files that are others now. Asks no HSM and opens no
 * key, so that it can be asked at any time: whether a key can be used, only `keyRefusal` finds out.
 */
export function keyLocation(
  { trust, filed, store, config }: KeyPlaces,
  authority: AuthorityRecord,
): "store" | "files" | "memory" | "pkcs11" | "missing" {
  if (authority.key === "store") return store.hasKey(authority.id) ? "store" : "missing";
  const { plugged, authorityParts } = trust();
  const source = keySource(store, config(), authority, plugged, authorityParts);
  if (source === undefined) return "missing";
  if (source.kind === "pkcs11") return "pkcs11";
  return filed()?.id === authority.id ? "files" : "memory";
}

/** As `keyRefusal`, as far as `keyLocation` knows: a compromise may bring its key, or go on without one. */
export function absentKeyRefusal(
  places: KeyPlaces,
  present: TrustState,
  next: TrustState,
  command: RotationCommand,
): RotationRefusal | undefined {
  const active = activeAuthority(next);
  const isOther = command.kind !== "compromise" && !isActive(present, active);
  const isMissing = isOther && keyLocation(places, active) === "missing";
  return isMissing ? keyMissing(active, command, nowhere) : undefined;
}

function isActive(state: TrustState, { root }: AuthorityRecord): boolean {
  return equalBytes(root, activeAuthority(state).root);
}

/** @returns undefined where it can, or is the one that signs now */
export async function keyRefusal(
  { trust, store, config, prove }: KeyQuestions,
  next: TrustState,
  { command, keys = [], plugged }: KeyOrder,
): Promise<RotationRefusal | undefined> {
  const { current } = trust;
  const active = activeAuthority(next);
  if (isActive(current.state, active)) return undefined;
  const { id, chain, root } = active;
  const brought = keys.find((key) => key.id === id);
  try {
    const source =
      brought === undefined
        ? keySource(store, config(), active, plugged ?? current.plugged)
        : softwareSource(brought);
    if (source === undefined) {
      return keyMissing(active, command, nowhere);
    }
    await prove({ source, chain, root });
    return undefined;
  } catch (error) {
    if (!(error instanceof PortcullisError)) throw error;
    const refusal = keyMissing(active, command, error.message);
    return error.code === "pkcs11-pin-rejected"
      ? { ...refusal, code: "key-pin-rejected", hint: `${pinHint}; ${refusal.hint}` }
      : refusal;
  }
}

const nowhere = "it is nowhere that this server looks";
const pinHint =
  "give the right PIN and send SIGHUP before you try again: a token locks itself after a few wrong ones";

function softwareSource({ privateKeyPkcs8 }: NewSigningKey): KeySource {
  const der = Buffer.from(privateKeyPkcs8);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  return { kind: "software", location: "store", key };
}

function keyMissing(
  { id, key }: AuthorityRecord,
  command: RotationCommand,
  why: string,
): RotationRefusal {
  return {
    code: "key-missing",
    message: `expected the key of authority ${id}, which is to sign, got none: ${why}`,
    hint: `${waysBack[key]}, then try again; or ${insteadOf(command)}`,
  };
}

const waysBack = {
  store: "restore a backup that has it",
  external: "put its files back into --ca-dir or make its HSM reachable",
} as const;

function insteadOf(command: RotationCommand): string {
  if (command.kind === "compromise") {
    const again = `portcullis root compromise ${command.authorityId}`;
    return `have a new one sign: ${again} --key-type p256; or your CA: ${again} --from-dir DIR`;
  }
  return command.kind === "rollback"
    ? "go on: portcullis root rotate --resume"
    : "withdraw it: portcullis root abort";
}
