package main

import (
	"context"
	"flag"
	"fmt"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

type serviceLine struct {
	Service string   `json:"service"`
	Methods []string `json:"methods"`
}

type reflectionStream = grpc.BidiStreamingClient[reflectionpb.ServerReflectionRequest, reflectionpb.ServerReflectionResponse]

// reflection lists services as a generic client does, and builds each from its descriptors.
func reflection(flags *flag.FlagSet) func(context.Context) error {
	socket := flags.String("socket", "", "of an agent; otherwise a server over TLS")
	server := serverFlags(flags)
	return func(ctx context.Context) error {
		conn, err := dialEither(*socket, server)
		if err != nil {
			return err
		}
		defer conn.Close()
		stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
		if err != nil {
			return err
		}
		names, err := listServices(stream)
		if err != nil {
			return err
		}
		for _, name := range names {
			methods, err := methodsOf(stream, name)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			emit(serviceLine{Service: name, Methods: methods})
		}
		return nil
	}
}

func dialEither(socket string, server *serverAddress) (*grpc.ClientConn, error) {
	if socket == "" {
		return server.dial()
	}
	return grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

func listServices(stream reflectionStream) ([]string, error) {
	response, err := ask(stream, &reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{},
	})
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, service := range response.GetListServicesResponse().GetService() {
		names = append(names, service.GetName())
	}
	slices.Sort(names)
	return names, nil
}

func methodsOf(stream reflectionStream, service string) ([]string, error) {
	response, err := ask(stream, &reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: service},
	})
	if err != nil {
		return nil, err
	}
	set := &descriptorpb.FileDescriptorSet{}
	for _, bytes := range response.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(bytes, file); err != nil {
			return nil, err
		}
		set.File = append(set.File, file)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, err
	}
	found, err := files.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil, err
	}
	descriptor, isService := found.(protoreflect.ServiceDescriptor)
	if !isService {
		return nil, fmt.Errorf("expected a service, got %T", found)
	}
	methods := []string{}
	for i := range descriptor.Methods().Len() {
		methods = append(methods, string(descriptor.Methods().Get(i).Name()))
	}
	return methods, nil
}

func ask(
	stream reflectionStream,
	request *reflectionpb.ServerReflectionRequest,
) (*reflectionpb.ServerReflectionResponse, error) {
	if err := stream.Send(request); err != nil {
		return nil, err
	}
	response, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if refusal := response.GetErrorResponse(); refusal != nil {
		return nil, fmt.Errorf("%d: %s", refusal.GetErrorCode(), refusal.GetErrorMessage())
	}
	return response, nil
}
