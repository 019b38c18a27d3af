// Strict readers in another language: RFC 5424 in octet-counted frames (go-syslog), GELF over UDP (Graylog's own library).
//
//	strict syslog FILE   parses each frame without forgiving anything; one JSON object a line
//	strict gelf PORT     prints each message; the first line says that it listens
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/Graylog2/go-gelf/gelf"
	syslog "github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/octetcounting"
	"github.com/leodido/go-syslog/v4/rfc5424"
)

type line struct {
	Priority  *uint8                        `json:"pri"`
	Time      string                        `json:"time"`
	Host      *string                       `json:"host"`
	App       *string                       `json:"app"`
	MessageID *string                       `json:"msgid"`
	Data      *map[string]map[string]string `json:"data"`
	Message   *string                       `json:"msg"`
}

func readSyslog(path string) {
	file, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	out := json.NewEncoder(os.Stdout)
	parser := octetcounting.NewParser(syslog.WithListener(func(found *syslog.Result) {
		if found.Error != nil {
			log.Fatal(found.Error)
		}
		one := found.Message.(*rfc5424.SyslogMessage)
		out.Encode(line{one.Priority, one.Timestamp.Format("2006-01-02T15:04:05.000Z07:00"), one.Hostname, one.Appname,
			one.MsgID, one.StructuredData, one.Message})
	}))
	parser.Parse(file)
}

func readGelf(port string) {
	reader, err := gelf.NewReader("127.0.0.1:" + port)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listens")
	for {
		message, err := reader.ReadMessage()
		if err != nil {
			log.Fatal(err)
		}
		// The additional fields are in the object only when the library writes it.
		var line bytes.Buffer
		if err := message.MarshalJSONBuf(&line); err != nil {
			log.Fatal(err)
		}
		fmt.Println(line.String())
	}
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("strict syslog FILE | strict gelf PORT")
	}
	if os.Args[1] == "gelf" {
		readGelf(os.Args[2])
	}
	readSyslog(os.Args[2])
}
