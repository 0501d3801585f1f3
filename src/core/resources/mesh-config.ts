/** The few of MeshConfig's fields that say something of mTLS. */

export interface MeshConfig {
  /** Whose policies without a selector are the mesh's. */
  readonly rootNamespace: string;
  /** Clients send mTLS where no DestinationRule says anything and the endpoint takes it. */
  readonly enableAutoMtls: boolean;
}

export const defaultMeshConfig: MeshConfig = {
  rootNamespace: "istio-system",
  enableAutoMtls: true,
};
