/** The one object of its name that the trust has in the cluster, in the lane of the trust: made, or replaced as the very version that was judged. */

import type { JsonObject } from "../../../core/identity/json-object.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { askObject, findObject, type AskOptions } from "../read/found-object.ts";
import { objectOf } from "../read/raw-object.ts";

export interface NamedObjectOptions {
  readonly connection: KubeConnection;
  /** The collection, within a namespace: such as `/api/v1/namespaces/NAMESPACE/secrets`. */
  readonly collection: string;
  readonly name: string;
  /** Of each request. */
  readonly deadlineMs: number;
}

export class NamedObject {
  readonly #options: NamedObjectOptions;

  constructor(options: NamedObjectOptions) {
    this.#options = options;
  }

  /** @returns undefined where there is none. @throws KubeError; the reason of the signal */
  async read(signal: AbortSignal | undefined): Promise<JsonObject | undefined> {
    const { connection, collection, name } = this.#options;
    return await findObject(connection, `${collection}/${name}`, this.#asked(signal));
  }

  /**
   * @param version of what it follows from; "" where there was none
   * @param query of the path, with its `?`
   * @throws KubeError `kube-conflict` where another was faster; the reason of the signal
   */
  async write(
    object: JsonObject,
    version: string,
    signal: AbortSignal | undefined,
    query = "",
  ): Promise<JsonObject> {
    const { connection, collection, name } = this.#options;
    const resourceVersion = version === "" ? {} : { resourceVersion: version };
    const metadata = { ...objectOf(object["metadata"]), ...resourceVersion };
    const body = { ...object, metadata };
    const request =
      version === ""
        ? ({ method: "POST", path: collection + query, body } as const)
        : ({ method: "PUT", path: `${collection}/${name}${query}`, body } as const);
    return await askObject(connection, { ...request, ...this.#asked(signal) });
  }

  #asked(signal: AbortSignal | undefined): AskOptions {
    return { lane: "trust", deadlineMs: this.#options.deadlineMs, signal };
  }
}
