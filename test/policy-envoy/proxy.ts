/** A real Envoy that does what a ProxyPolicy says, with a certificate of a test's CA. */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { proxyResources } from "../../src/core/envoy/proxy-resources.ts";
import type { SecretResource } from "../../src/core/envoy/secret.ts";
import type { EnvoyObject } from "../../src/core/envoy/tls-context.ts";
import { emptyPolicy, type ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { startEnvoy, type EnvoyProcess } from "../../src/edge/envoy/process.ts";
import { testEnvoy } from "../support/envoy.ts";
import { AdsServer } from "./ads-server.ts";

export const trustDomain: TrustDomain = TrustDomain.parse("td.test");

export class TestProxy implements AsyncDisposable {
  readonly #ads: AdsServer;
  readonly envoy: EnvoyProcess;

  private constructor(ads: AdsServer, envoy: EnvoyProcess) {
    this.#ads = ads;
    this.envoy = envoy;
  }

  static async start(directory: string, secrets: readonly SecretResource[]): Promise<TestProxy> {
    mkdirSync(directory);
    await using stack = new AsyncDisposableStack();
    const adsSocketPath = join(directory, "ads.sock");
    const adminSocketPath = join(directory, "admin.sock");
    const ads = stack.use(new AdsServer(adsSocketPath));
    await ads.listen();
    ads.setSecrets(secrets);
    const envoy = stack.use(
      await startEnvoy({
        binary: await testEnvoy(),
        bootstrap: adsBootstrap(adsSocketPath, adminSocketPath),
        adminSocketPath,
        directory,
        drainSeconds: 1,
      }),
    );
    stack.move();
    return new TestProxy(ads, envoy);
  }

  /** In force when it returns. */
  async apply(policy: Partial<ProxyPolicy>): Promise<void> {
    await this.#ads.apply(proxyResources({ ...emptyPolicy, ...policy }, { trustDomain }));
    assert.deepEqual([...this.#ads.nacks], []);
    await this.envoy.waitUntilLive(AbortSignal.timeout(10_000));
  }

  /** Connections of chains that are gone are closed by now. */
  async untilDrained(): Promise<void> {
    const name = "listener_manager.total_filter_chains_draining";
    for (const deadlineMs = Date.now() + 10_000; Date.now() < deadlineMs; await sleep(20)) {
      if ((await this.envoy.stats(name)).get(name) === 0) return;
    }
    assert.fail("chains are still draining");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.envoy.stop();
    this.#ads[Symbol.dispose]();
  }
}

function adsBootstrap(adsSocketPath: string, adminSocketPath: string): EnvoyObject {
  const ads = { ads: {}, resource_api_version: "V3", initial_fetch_timeout: "0s" };
  const options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  const address = { pipe: { path: adsSocketPath } };
  const endpoints = [{ lb_endpoints: [{ endpoint: { address } }] }];
  return {
    node: { id: "proxy", cluster: "test" },
    admin: { address: { pipe: { path: adminSocketPath } } },
    dynamic_resources: {
      ads_config: {
        api_type: "GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "ads" } }],
      },
      lds_config: ads,
      cds_config: ads,
    },
    static_resources: {
      clusters: [
        {
          name: "ads",
          type: "STATIC",
          load_assignment: { cluster_name: "ads", endpoints },
          typed_extension_protocol_options: {
            [options]: {
              "@type": `type.googleapis.com/${options}`,
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
        },
      ],
    },
  };
}
