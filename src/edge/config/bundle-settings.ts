/** The SPIFFE bundle endpoint: where it is served, and by which certificate. */

import type { ListenAddress } from "./listen-address.ts";
import {
  absolutePath,
  listenAddress,
  optional,
  positiveDuration,
  scalar,
  type Setting,
} from "./setting.ts";

interface BundleSettings {
  readonly bundleListen: Setting<ListenAddress | undefined>;
  readonly bundleCertificate: Setting<string | undefined>;
  readonly bundleKey: Setting<string | undefined>;
  readonly bundleRefreshHintSeconds: Setting<number>;
}

export const BUNDLE_SETTINGS: BundleSettings = {
  bundleListen: {
    ...optional(listenAddress),
    key: "bundleEndpoint.listen",
    flag: "bundle-listen",
    valueName: "HOST:PORT",
    help: "where the SPIFFE bundle endpoint serves the trust bundle; off if not given",
    reloadable: false,
  },
  bundleCertificate: {
    ...optional(absolutePath),
    key: "bundleEndpoint.certificate",
    flag: "bundle-cert",
    valueName: "FILE",
    help: "PEM chain of the endpoint (https_web); without it it has an SVID (https_spiffe)",
    reloadable: false,
  },
  bundleKey: {
    ...optional(absolutePath),
    key: "bundleEndpoint.key",
    flag: "bundle-key",
    valueName: "FILE",
    help: "PEM key of --bundle-cert",
    reloadable: false,
  },
  bundleRefreshHintSeconds: {
    ...scalar(positiveDuration),
    key: "bundleEndpoint.refreshHint",
    flag: "bundle-refresh-hint",
    valueName: "DURATION",
    help: "how often whoever fetches the bundle should look again",
    defaults: ["5m"],
    reloadable: true,
  },
};
