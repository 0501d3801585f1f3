/** Before the trust state says that an authority signs: whether it can. */

import { createPrivateKey } from "node:crypto";
import { equalBytes } from "../../../core/bytes.ts";
import { PortcullisError } from "../../../core/error.ts";
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

interface KeyQuestions {
  readonly store: Pick<Store, "signingKey">;
  readonly trust: TrustKeeper;
  readonly config: () => ServerConfig;
  /** @throws why it cannot be used */
  readonly prove: (parts: AuthorityParts) => Promise<void>;
}

/** With what it brings. */
interface KeyOrder {
  readonly command: RotationCommand;
  readonly keys?: readonly NewSigningKey[];
  readonly plugged?: PluggedIn;
}

/** @returns undefined where it can, or is the one that signs now */
export async function keyRefusal(
  { trust, store, config, prove }: KeyQuestions,
  next: TrustState,
  { command, keys = [], plugged }: KeyOrder,
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
    if (source === undefined) {
      return keyMissing(active, command, "it is nowhere that this server looks");
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

const pinHint =
  "give the right PIN and send SIGHUP before you try again: a token locks itself after a few wrong ones";

function softwareSource({ privateKeyPkcs8 }: NewSigningKey): KeySource {
  const der = Buffer.from(privateKeyPkcs8);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  return { kind: "software", location: "store", key };
}

function keyMissing(
  { id }: AuthorityRecord,
  command: RotationCommand,
  why: string,
): RotationRefusal {
  return {
    code: "key-missing",
    message: `expected the key of authority ${id}, which is to sign, got none: ${why}`,
    hint: `put its files back into --ca-dir or make its HSM reachable, then try again; or ${insteadOf(command)}`,
  };
}

function insteadOf(command: RotationCommand): string {
  if (command.kind === "compromise") {
    return `have a new one sign: portcullis root compromise ${command.authorityId} with --key-type TYPE or --from-dir DIR`;
  }
  return command.kind === "rollback"
    ? "go on with portcullis root retire"
    : "withdraw it: portcullis root abort";
}
