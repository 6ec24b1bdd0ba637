#pragma once
namespace sst::run {}
