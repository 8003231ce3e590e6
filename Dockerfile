# One file for the five services: docker build --build-arg SERVICE=gateway --tag zhiyin-gateway:dev .
# The migration Jobs of retrieval and feedback use the image of their service.
#
# Which index the packages come from is pip's own choice: --build-arg PIP_INDEX_URL=... and PIP_EXTRA_INDEX_URL=... reach it.
# For the encoder on CPUs name an index with PyTorch's CPU builds, or gigabytes of CUDA libraries come along.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG SERVICE=gateway

FROM ${PYTHON_IMAGE} AS packages
ARG SERVICE
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
# The constraint holds for the build's own requirements too, where --constraint would not.
ENV PIP_CONSTRAINT=/source/requirements.lock PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
RUN ["python", "-m", "venv", "/opt/zhiyin"]
# Packages before code: a change of the code leaves their layer as it is.
COPY pyproject.toml requirements.lock README.md LICENSE ./
RUN /opt/zhiyin/bin/pip install ".[${SERVICE}]"
COPY zhiyin zhiyin
COPY services services
RUN ["/opt/zhiyin/bin/pip", "install", "--no-deps", "--force-reinstall", "."]

FROM ${PYTHON_IMAGE} AS installed
# Safe path: what lies in the working directory is never imported.
ENV PATH=/opt/zhiyin/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1
COPY --from=packages /opt/zhiyin /opt/zhiyin
ENTRYPOINT ["python", "-m"]

FROM installed AS service-encoder
ENV ZHIYIN_ENCODER_CACHE_DIRECTORY=/opt/model
# Unpacks the built-in model and computes its mean vector, so that a pod starts in seconds and writes nothing. As the user
# who reads it: some of the files are nobody else's.
RUN ["install", "--directory", "--owner=10001", "--group=10001", "/opt/model"]
USER 10001:10001
RUN ["python", "-c", "from services.encoder.config import EncoderSettings as S; from services.encoder.wiring import load; load(S())"]
CMD ["services.encoder"]

FROM installed AS service-retrieval
CMD ["services.retrieval"]

FROM installed AS service-ranker
CMD ["services.ranker"]

FROM installed AS service-feedback
CMD ["services.feedback"]

FROM installed AS service-gateway
CMD ["services.gateway"]

# An unknown service has no stage above, and the build ends here.
# hadolint ignore=DL3006
FROM service-${SERVICE}
USER 10001:10001
