/** A channel to the admin API for one call: over a Unix socket as it is, or by a way that shows a token. */

import { Client, credentials, Metadata, type ClientOptions } from "@grpc/grpc-js";
import type { AdminPassage, AdminTarget } from "./admin-target.ts";

export interface AdminChannel extends AsyncDisposable {
  readonly client: Client;
  /** With whom the caller shows himself to be. */
  readonly metadata: Metadata;
  /** Why the way to the server has ended, if it has. */
  readonly failure: () => Error | undefined;
}

/** @throws what keeps a way from being opened */
export async function openAdminChannel(
  target: AdminTarget,
  options: ClientOptions = {},
): Promise<AdminChannel> {
  const passage = typeof target === "string" ? undefined : await target.open();
  const address = typeof target === "string" ? target : (passage?.address ?? "");
  // A way is one connection's: another one is another way.
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": passage === undefined ? 0 : 1,
    ...options,
  });
  return {
    client,
    metadata: metadataOf(passage),
    failure: () => passage?.failure(),
    [Symbol.asyncDispose]: async () => {
      client.close();
      await passage?.[Symbol.asyncDispose]();
    },
  };
}

function metadataOf(passage: AdminPassage | undefined): Metadata {
  const metadata = new Metadata();
  if (passage !== undefined) metadata.set("authorization", `Bearer ${passage.token}`);
  return metadata;
}
