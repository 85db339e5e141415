"""One process with threads in each replica: Kubernetes multiplies, and a worker more would only hide what a pod needs."""

bind = "0.0.0.0:8000"
worker_class = "gthread"
workers = 1
threads = 8
worker_tmp_dir = "/dev/shm"  # the heartbeat's file; the root file system is read-only
graceful_timeout = 20  # after SIGTERM requests under way end; less than terminationGracePeriodSeconds
keepalive = 75  # longer than a load balancer keeps an idle connection, so that it is not the one surprised
control_socket_disable = True  # nobody administers a replica from within
accesslog = None  # the load balancer logs
