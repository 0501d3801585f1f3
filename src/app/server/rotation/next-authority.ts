/** The authority that is to sign next, while one is prepared, and its key: for what is signed to try it, and nothing else. */

import { signingAuthority, type Authority } from "../../../core/issuance/authority.ts";
import { rootSha256 } from "../../../core/spiffe/roots-digest.ts";
import { authorityIn, type AuthorityRecord } from "../../../core/trust/trust-state.ts";
import type { ServerConfig } from "../../../edge/config/server-config.ts";
import type { Store } from "../../../edge/store/store.ts";
import { keySource } from "../open-trust.ts";
import { localSigner } from "../signing/open-signer.ts";
import type { AuthorityParts } from "../signing/signing-protocol.ts";
import type { TrustKeeper } from "../trust-keeper.ts";
import { CanaryError } from "./canary-error.ts";

export interface NextAuthorityDependencies {
  readonly store: Pick<Store, "signingKey">;
  readonly trust: TrustKeeper;
  readonly config: () => ServerConfig;
}

export interface NextAuthority {
  /** Lower-case hex. */
  readonly rootSha256: string;
  /** Since which bundle it is trusted with the present ones. */
  readonly rootsSequence: bigint;
}

interface Opened {
  readonly authority: Authority;
  readonly parts: AuthorityParts;
}

export class NextAuthorityKeeper {
  readonly #dependencies: NextAuthorityDependencies;
  #named: { readonly record: AuthorityRecord; readonly rootSha256: string } | undefined;
  #opened: (Opened & { readonly record: AuthorityRecord }) | undefined;

  constructor(dependencies: NextAuthorityDependencies) {
    this.#dependencies = dependencies;
  }

  /** Undefined while none is prepared. */
  find(): NextAuthority | undefined {
    const { state } = this.#dependencies.trust.current;
    const record = authorityIn(state, "prepared");
    if (record === undefined) {
      this.#named = undefined;
      this.#opened = undefined;
      return undefined;
    }
    if (this.#named?.record !== record) {
      this.#named = { record, rootSha256: rootSha256(record.root) };
    }
    return { rootSha256: this.#named.rootSha256, rootsSequence: state.rootsSequence };
  }

  /** Asks no HSM. @throws CanaryError, StoreError where its key is not there */
  open(): Opened {
    const { store, trust, config } = this.#dependencies;
    const { state, plugged, authorityParts, bundle } = trust.current;
    const record = authorityIn(state, "prepared");
    if (record === undefined) {
      throw new CanaryError("canary-nothing-prepared", "expected an authority that is prepared");
    }
    if (this.#opened?.record === record) return this.#opened;
    const { id, chain, root } = record;
    const source = keySource(store, config(), record, plugged, authorityParts);
    if (source === undefined) {
      const message = `expected the key of authority ${id}, got none: it is nowhere that this server looks`;
      throw new CanaryError("canary-key-missing", message);
    }
    const parts = { source, chain, root };
    const authority = signingAuthority(localSigner(parts), chain, root, bundle.roots);
    this.#opened = { record, authority, parts };
    return this.#opened;
  }
}
