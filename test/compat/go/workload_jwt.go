package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// jwt fetches a JWT-SVID and has it validated twice: by go-spiffe, and by the agent.
func jwt(flags *flag.FlagSet) func(context.Context) error {
	socket := flags.String("socket", "", "of the agent")
	audience := flags.String("audience", "", "of the JWT-SVID")
	return func(ctx context.Context) error {
		client, err := workloadapi.New(ctx, workloadapi.WithAddr("unix://"+*socket))
		if err != nil {
			return err
		}
		defer client.Close()
		bundles, err := workloadapi.NewBundleSource(ctx, workloadapi.WithClient(client))
		if err != nil {
			return err
		}
		defer bundles.Close()
		svid, err := client.FetchJWTSVID(ctx, jwtsvid.Params{Audience: *audience, ExtraAudiences: []string{"second"}})
		if err != nil {
			return err
		}
		report("fetch", svid.ID.String(), nil)
		token := svid.Marshal()
		for _, audience := range []string{*audience, "second", "somebody-else"} {
			local, err := jwtsvid.ParseAndValidate(token, bundles, []string{audience})
			report("validate here for "+audience, idOf(local), err)
			remote, err := client.ValidateJWTSVID(ctx, token, audience)
			report("validate at the agent for "+audience, idOf(remote), err)
		}
		_, err = client.ValidateJWTSVID(ctx, token[:len(token)-8]+"AAAAAAAA", *audience)
		report("validate at the agent with another signature", "", err)
		stranger := spiffeid.RequireFromPath(svid.ID.TrustDomain(), "/ns/shop/sa/stranger")
		_, err = client.FetchJWTSVID(ctx, jwtsvid.Params{Audience: *audience, Subject: stranger})
		report("fetch for somebody else", "", err)
		return nil
	}
}

func idOf(svid *jwtsvid.SVID) string {
	if svid == nil {
		return ""
	}
	return svid.ID.String()
}

// workloadCodes asks in ways that go-spiffe never does.
func workloadCodes(flags *flag.FlagSet) func(context.Context) error {
	socket := flags.String("socket", "", "of the agent")
	return func(ctx context.Context) error {
		conn, err := grpc.NewClient("unix:"+*socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		defer conn.Close()
		client := workload.NewSpiffeWorkloadAPIClient(conn)
		for _, each := range []struct {
			step    string
			headers []string
		}{
			{"without the header", nil},
			{"with another value", []string{"workload.spiffe.io", "True"}},
			{"with the header", []string{"workload.spiffe.io", "true"}},
		} {
			asked := metadata.AppendToOutgoingContext(ctx, each.headers...)
			id, err := firstX509SVID(asked, client)
			report(each.step, id, err)
		}
		asked := metadata.AppendToOutgoingContext(ctx, "workload.spiffe.io", "true")
		stream, err := client.FetchWITSVID(asked, &workload.WITSVIDRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		report("for what is not served", "", err)
		return nil
	}
}

func firstX509SVID(ctx context.Context, client workload.SpiffeWorkloadAPIClient) (string, error) {
	stream, err := client.FetchX509SVID(ctx, &workload.X509SVIDRequest{})
	if err != nil {
		return "", err
	}
	response, err := stream.Recv()
	if err != nil {
		return "", err
	}
	if len(response.Svids) != 1 {
		return "", fmt.Errorf("expected 1 SVID, got %d", len(response.Svids))
	}
	return response.Svids[0].SpiffeId, nil
}
