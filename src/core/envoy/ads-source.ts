/** Where a resource that is named in another one comes from: the ADS stream that Envoy has open to its agent. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  ApiVersion,
  type ConfigSourceSchema,
} from "../../gen/envoy/config/core/v3/config_source_pb.ts";
import type { SdsSecretConfigSchema } from "../../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import { seconds } from "./extension.ts";

/**
 * The same octets everywhere and for ever: to Envoy another source is another subscription, which may never get its secret. It
 * waits without end, since after the default 15 s it would open ports that have no certificate and reset every connection.
 */
export const adsSource: MessageInitShape<typeof ConfigSourceSchema> = {
  configSourceSpecifier: { case: "ads", value: {} },
  resourceApiVersion: ApiVersion.V3,
  initialFetchTimeout: seconds(0),
};

export function adsSecret(name: string): MessageInitShape<typeof SdsSecretConfigSchema> {
  return { name, sdsConfig: adsSource };
}
