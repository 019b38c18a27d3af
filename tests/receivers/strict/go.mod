module strict

go 1.23

require (
	github.com/Graylog2/go-gelf v0.0.0-20191017102106-1550ee647df0
	github.com/leodido/go-syslog/v4 v4.6.0
)
