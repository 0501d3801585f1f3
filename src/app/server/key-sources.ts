/**
 * The key sets of token issuers, each read once for all configurations that name it. A reload takes over those that it
 * does not change, with the keys that they have: an issuer that is down at that moment has lost nothing.
 */

import type { JwksSource } from "../../edge/authn/jwks.ts";

interface Shared {
  readonly source: JwksSource;
  users: number;
}

export class KeySources {
  readonly #shared = new Map<string, Shared>();

  /**
   * @param name the same for what may be shared
   * @param open where nobody has one of that name
   * @param owned gives it back; the last one closes it
   */
  async lease(
    name: string,
    open: () => JwksSource | Promise<JwksSource>,
    owned: DisposableStack,
  ): Promise<JwksSource> {
    const shared = this.#shared.get(name) ?? { source: await open(), users: 0 };
    this.#shared.set(name, shared);
    shared.users++;
    owned.defer(() => this.#giveBack(name, shared));
    return shared.source;
  }

  #giveBack(name: string, shared: Shared): void {
    if (--shared.users > 0) return;
    if (this.#shared.get(name) === shared) this.#shared.delete(name);
    shared.source[Symbol.dispose]();
  }
}
