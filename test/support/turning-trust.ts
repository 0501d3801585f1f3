/** A trust that a test rotates: which authority signs, and which roots are believed. */

import type { GuardTrust } from "../../src/app/server/kube/guard/guard-certificate.ts";
import { trustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { TEST_TRUST_DOMAIN, type TestAuthority } from "./authority.ts";

export class TurningTrust implements GuardTrust {
  #current: GuardTrust["current"];
  readonly #listeners = new Set<() => void>();
  #sequence = 1n;

  constructor(active: TestAuthority) {
    this.#current = { authority: active.authority, bundle: active.bundle };
  }

  get current(): GuardTrust["current"] {
    return this.#current;
  }

  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  turn({ authority }: TestAuthority, all: readonly TestAuthority[]): void {
    this.#sequence++;
    const roots = all.map(({ root }) => root);
    const bundle = trustBundle(TEST_TRUST_DOMAIN, this.#sequence, roots);
    this.#current = { authority, bundle };
    for (const listener of this.#listeners) listener();
  }
}
